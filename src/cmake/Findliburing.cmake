# liburing::liburing: the io_uring system call wrappers. Found through pkg-config where there is one, by name otherwise.

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_liburing QUIET liburing)
endif()
find_path(liburing_INCLUDE_DIR liburing.h HINTS ${PC_liburing_INCLUDE_DIRS})
# A static program can only take the archive, which lies beside the shared library.
if(CMAKE_EXE_LINKER_FLAGS MATCHES "(^| )-static( |$)")
  set(liburing_names liburing.a)
else()
  set(liburing_names uring)
endif()
find_library(liburing_LIBRARY NAMES ${liburing_names} HINTS ${PC_liburing_LIBRARY_DIRS})
mark_as_advanced(liburing_INCLUDE_DIR liburing_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(liburing
  REQUIRED_VARS liburing_LIBRARY liburing_INCLUDE_DIR VERSION_VAR PC_liburing_VERSION
  REASON_FAILURE_MESSAGE "Debian and Ubuntu have it in the package liburing-dev")

if(liburing_FOUND AND NOT TARGET liburing::liburing)
  add_library(liburing::liburing UNKNOWN IMPORTED)
  set_target_properties(liburing::liburing PROPERTIES
    IMPORTED_LOCATION ${liburing_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${liburing_INCLUDE_DIR})
endif()
