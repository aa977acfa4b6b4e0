/* A folder of a test's own, cleared at its end. */
#ifndef TOUCHLINE_TEST_FOLDER_H
#define TOUCHLINE_TEST_FOLDER_H

#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

/* Remove a folder and the files in it; harmless where there is none. */
static inline void folder_remove(const char *folder)
{
    DIR *names = opendir(folder);
    if (names == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(names)) != NULL;)
        if (entry->d_name[0] != '.')
            CHECK(unlinkat(dirfd(names), entry->d_name, 0) == 0);
    closedir(names);
    CHECK(rmdir(folder) == 0);
}

#endif
