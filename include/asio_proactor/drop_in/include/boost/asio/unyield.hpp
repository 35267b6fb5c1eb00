// Found before the header of the same name in Boost.Asio if the include path is in order, and says so: see
// asio_proactor/drop_in/include_order.hpp. The stock header only undefines macros, so including it costs nothing.
#pragma GCC system_header
#define ASIO_PROACTOR_COMES_FIRST_ON_THE_INCLUDE_PATH 1
#include_next <boost/asio/unyield.hpp>
