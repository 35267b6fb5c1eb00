# asio_proactor::boost: the Boost headers that everything here is compiled against.
# asio_proactor::drop_in: makes a program run on asio_proactor. It puts the directory with our headers of Asio's names on the
# include path ahead of Boost, defines the macros that select the slot, and links the library.

# Every translation unit of a program must agree on these. CMake, pkg-config and the tests all take them from here; Jamroot repeats them.
set(ASIO_PROACTOR_DROP_IN_DEFINITIONS
  ASIO_PROACTOR_DROP_IN=1
  BOOST_ASIO_HAS_IO_URING=1
  BOOST_ASIO_DISABLE_EPOLL=1
  # From Boost 1.92 on it keeps object files built without the drop-in from linking with those built with it.
  BOOST_ASIO_VERSION_NAMESPACE=asio_proactor_drop_in
  # The include guards of the stock headers we replace: should one of them be found before ours, it is empty and the build fails.
  BOOST_ASIO_DETAIL_SCHEDULER_HPP=1
  BOOST_ASIO_DETAIL_IMPL_SCHEDULER_IPP=1
  BOOST_ASIO_DETAIL_IO_URING_SERVICE_HPP=1
  BOOST_ASIO_DETAIL_IMPL_IO_URING_SERVICE_HPP=1
  BOOST_ASIO_DETAIL_IMPL_IO_URING_SERVICE_IPP=1
  BOOST_ASIO_DETAIL_IO_URING_OPERATION_HPP=1
  BOOST_ASIO_DETAIL_IO_URING_SOCKET_SERVICE_HPP=1
  BOOST_ASIO_DETAIL_IO_URING_SOCKET_SERVICE_BASE_HPP=1
  BOOST_ASIO_DETAIL_IMPL_IO_URING_SOCKET_SERVICE_BASE_IPP=1
  BOOST_ASIO_DETAIL_IO_URING_DESCRIPTOR_SERVICE_HPP=1
  BOOST_ASIO_DETAIL_IMPL_IO_URING_DESCRIPTOR_SERVICE_IPP=1
  BOOST_ASIO_DETAIL_IO_URING_FILE_SERVICE_HPP=1
  BOOST_ASIO_DETAIL_IMPL_IO_URING_FILE_SERVICE_IPP=1)
set(ASIO_PROACTOR_DROP_IN_DIR asio_proactor/drop_in/include)
# Force-included: turns the tripwire's many errors into a sentence.
set(ASIO_PROACTOR_DROP_IN_OPTIONS "-include asio_proactor/drop_in/include_order.hpp")

add_library(asio_proactor_boost INTERFACE)
add_library(asio_proactor::boost ALIAS asio_proactor_boost)
set_target_properties(asio_proactor_boost PROPERTIES EXPORT_NAME boost)
if(ASIO_PROACTOR_BOOST_INCLUDE_DIR)
  # The override is for trying Boost releases in this tree: an installed package finds Boost by itself.
  target_include_directories(asio_proactor_boost SYSTEM INTERFACE $<BUILD_INTERFACE:${ASIO_PROACTOR_BOOST_INCLUDE_DIR}>)
  target_link_libraries(asio_proactor_boost INTERFACE $<INSTALL_INTERFACE:Boost::headers>)
else()
  target_link_libraries(asio_proactor_boost INTERFACE Boost::headers)
endif()

add_library(asio_proactor_drop_in INTERFACE)
add_library(asio_proactor::drop_in ALIAS asio_proactor_drop_in)
# Not a system directory even when imported: the compiler searches those last, behind any -I that leads to Boost.
set_target_properties(asio_proactor_drop_in PROPERTIES EXPORT_NAME drop_in EXPORT_NO_SYSTEM ON)
target_include_directories(asio_proactor_drop_in BEFORE INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include/${ASIO_PROACTOR_DROP_IN_DIR}>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/${ASIO_PROACTOR_DROP_IN_DIR}>)
target_compile_definitions(asio_proactor_drop_in INTERFACE ${ASIO_PROACTOR_DROP_IN_DEFINITIONS})
# g++ uses a precompiled header only if nothing was included before it, so targets that have one do without the sentence.
set(_has_pch $<OR:$<BOOL:$<TARGET_PROPERTY:PRECOMPILE_HEADERS>>,$<BOOL:$<TARGET_PROPERTY:PRECOMPILE_HEADERS_REUSE_FROM>>>)
target_compile_options(asio_proactor_drop_in INTERFACE
  "$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:${_has_pch}>>:SHELL:${ASIO_PROACTOR_DROP_IN_OPTIONS}>")
unset(_has_pch)
target_compile_features(asio_proactor_drop_in INTERFACE cxx_std_17)
target_link_libraries(asio_proactor_drop_in INTERFACE asio_proactor Threads::Threads asio_proactor_boost)
