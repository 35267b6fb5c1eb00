# Installation: the library, its headers, a CMake package (find_package(asio_proactor)) and two pkg-config files.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/asio_proactor)

install(TARGETS asio_proactor asio_proactor_boost asio_proactor_drop_in EXPORT asio_proactor_targets)
install(TARGETS asio_proactor_info)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT asio_proactor_targets NAMESPACE asio_proactor:: DESTINATION ${package_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/asio_proactor-config.cmake.in asio_proactor-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(asio_proactor-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/asio_proactor-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/asio_proactor-config-version.cmake
  ${CMAKE_CURRENT_LIST_DIR}/Findliburing.cmake
  DESTINATION ${package_dir})

# A static library needs liburing on the link line of its user, a shared one brings it along.
set(PC_REQUIRES "liburing")
set(PC_REQUIRES_PRIVATE "")
if(BUILD_SHARED_LIBS)
  set(PC_REQUIRES "")
  set(PC_REQUIRES_PRIVATE "liburing")
endif()
list(TRANSFORM ASIO_PROACTOR_DROP_IN_DEFINITIONS PREPEND "-D" OUTPUT_VARIABLE pc_definitions)
list(JOIN pc_definitions " " PC_DEFINITIONS)
# Relative to the file itself, so that a package may be moved, or installed with another --prefix than it was configured with.
file(RELATIVE_PATH PC_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
cmake_path(APPEND PC_LIBDIR "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND PC_INCLUDEDIR "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
foreach(name asio_proactor asio_proactor-drop_in)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/${name}.pc.in ${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
