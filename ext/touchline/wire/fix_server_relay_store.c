/* The other engine's store, as durable as the journal: what that engine has sent is in its files,
 * and these are on the disk before the broker is told. It writes a message, then its place, then
 * the number of the next one. They are synced the other way round: so the disk never has a number
 * without its message. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int sync_path(const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    const int rc = fdatasync(fd) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

/* The files are opened each time: that engine makes them anew when the numbers go back to 1. */
static int sync_files(const tl_fix_server *server, const tl_fix_terms *terms)
{
    static const char *const kinds[] = {"seqnums", "header", "body"};
    char path[PATH_MAX];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof kinds / sizeof *kinds; i++) {
        const int size =
            snprintf(path, sizeof path, "%s/%s-%s-%s.%s", server->relay_store,
                     terms->dialect->begin_string, terms->venue_comp_id, terms->comp_id, kinds[i]);
        rc = size < (int)sizeof path ? sync_path(path, O_RDONLY) : -ENAMETOOLONG;
    }
    return rc;
}

bool tl_fix_relay_sync(tl_fix_server *server, tl_fix_seat *seat)
{
    if (server->relay_store == NULL)
        return true;
    int rc = sync_files(server, &seat->terms);
    if (rc == 0 && !seat->synced) /* a Logon may have made the files anew */
        rc = sync_path(server->relay_store, O_RDONLY | O_DIRECTORY);
    seat->synced = rc == 0;
    if (rc == 0 || server->failure != 0)
        return rc == 0;
    server->failure = rc;
    snprintf(server->fault, sizeof server->fault, "the store of %s could not be synced: %s",
             seat->terms.comp_id, strerror(-rc));
    return false;
}
