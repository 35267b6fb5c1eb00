// What nearly every test includes: the precompiled header of test/CMakeLists.txt. Tests name what they use all the same.
#ifndef ASIO_PROACTOR_TEST_FRAMEWORK_PRECOMPILED_HPP
#define ASIO_PROACTOR_TEST_FRAMEWORK_PRECOMPILED_HPP

#include <boost/asio.hpp>
#include <boost/test/included/unit_test.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#endif
