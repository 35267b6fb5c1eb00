// Found ahead of Boost's header of this name by the tests' CMake targets: declares the framework without compiling it once more,
// which costs three times as much as the rest of a test. main.cpp holds the one compiled copy. A test built by hand, without this
// directory on its include path, gets Boost's own header and is complete in itself.
#ifndef ASIO_PROACTOR_TEST_FRAMEWORK_UNIT_TEST_HPP
#define ASIO_PROACTOR_TEST_FRAMEWORK_UNIT_TEST_HPP

#undef BOOST_TEST_MODULE // it would define main() and the name of the module, which main.cpp has
#include <boost/test/unit_test.hpp>

#endif
