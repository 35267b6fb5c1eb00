# asio_proactor::asio_proactor: the compiled library, core and drivers.

file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*.cpp)
list(FILTER sources EXCLUDE REGEX "/src/info/")
file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.hpp ${PROJECT_SOURCE_DIR}/src/*.hpp)

add_library(asio_proactor ${sources} ${headers})
add_library(asio_proactor::asio_proactor ALIAS asio_proactor)
asio_proactor_developer_flags(asio_proactor)
target_compile_features(asio_proactor PUBLIC cxx_std_17)
target_include_directories(asio_proactor PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
  PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(asio_proactor PUBLIC Threads::Threads PRIVATE liburing::liburing)
# Position independent code of g++ calls its own functions as if a program might replace them, and inlines none.
target_compile_options(asio_proactor PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-semantic-interposition>)
set_target_properties(asio_proactor PROPERTIES
  CXX_STANDARD 20
  POSITION_INDEPENDENT_CODE ON
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

# What a program could do on this machine, printed.
if(ASIO_PROACTOR_INSTALL)
  add_executable(asio_proactor_info src/info/asio_proactor_info.cpp)
  asio_proactor_developer_flags(asio_proactor_info)
  set_target_properties(asio_proactor_info PROPERTIES CXX_STANDARD 20 OUTPUT_NAME asio-proactor-info)
  target_link_libraries(asio_proactor_info PRIVATE asio_proactor)
endif()
