# What `cmake --install` puts where others find it: headers, the library, a CMake package and a
# pkg-config file. Nothing installed names the folder it was built in, so it can be moved.
include(CMakePackageConfigHelpers)
if(SKBUILD)
  # Inside the Python package, where get_include() and get_library_dir() say.
  set(CMAKE_INSTALL_INCLUDEDIR touchline/include)
  set(CMAKE_INSTALL_LIBDIR touchline/lib)
else()
  include(GNUInstallDirs)
endif()

# Inside the library: no program includes these.
set(internal core/ahead.h core/stage.h core/state.h core/commands.h core/match.h core/special.h
    core/allocation.h core/selftrade.h core/linked.h core/trailing.h core/phases.h core/expiry.h
    core/invariants.h runtime/auctions.h runtime/clock.h runtime/bus_slots.h runtime/gate.h
    runtime/journal_head.h
    runtime/runner_state.h runtime/journal_segment.h measure/measure_thread.h
    marketdata/mirror_state.h study/ladder.h study/books_state.h study/books_ahead.h
    study/huge_array.h study/feed_state.h study/table_state.h)
list(TRANSFORM internal PREPEND touchline/)
file(GLOB public CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} touchline/*/*.h)
list(REMOVE_ITEM public ${internal})
# The FIX acceptor is a part of the venue, not of what a program is made with.
list(FILTER public EXCLUDE REGEX "^touchline/wire/")
foreach(header IN LISTS public)
  get_filename_component(place ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${place})
endforeach()

# The library that is installed is one object: optimised as a whole here, and ordinary code for any
# compiler or linker there. Intermediate code would bind who links it to this compiler's release.
if(touchline_lto)
  set(whole ${CMAKE_CURRENT_BINARY_DIR}/installed/touchline_core.o)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/installed)
  separate_arguments(whole_flags UNIX_COMMAND "${CMAKE_C_FLAGS}")
  add_custom_command(OUTPUT ${whole}
    COMMAND ${CMAKE_C_COMPILER} ${whole_flags} -O3 -fPIC -flto=auto -flinker-output=nolto-rel -r
            $<TARGET_OBJECTS:touchline_core> -o ${whole}
    # What was static in one file and is shared by the parts of the whole stays inside.
    COMMAND ${CMAKE_OBJCOPY} --wildcard --localize-symbol=*.* ${whole}
    DEPENDS touchline_core $<TARGET_OBJECTS:touchline_core> COMMAND_EXPAND_LISTS VERBATIM)
  add_library(touchline_installed STATIC ${whole})
else()
  add_library(touchline_installed STATIC $<TARGET_OBJECTS:touchline_core>)
endif()
set_target_properties(touchline_installed PROPERTIES LINKER_LANGUAGE C EXPORT_NAME core
  OUTPUT_NAME touchline_core
  ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/installed)
target_link_libraries(touchline_installed INTERFACE Threads::Threads)
install(TARGETS touchline_installed EXPORT touchline
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

# find_package(touchline CONFIG): touchline::core.
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/touchline)
install(EXPORT touchline NAMESPACE touchline:: FILE touchline-targets.cmake DESTINATION ${package})
configure_package_config_file(touchline-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/touchline-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/touchline-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/touchline-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/touchline-config-version.cmake DESTINATION ${package})

# pkg-config touchline: the prefix is where the file lies, unless the folders are absolute.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(pc_libdir ${CMAKE_INSTALL_LIBDIR})
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  string(REGEX REPLACE "[^/]+" ".." up ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  set(pc_prefix "\${pcfiledir}/${up}")
endif()
set(pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(touchline.pc.in ${CMAKE_CURRENT_BINARY_DIR}/touchline.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/touchline.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
