// Found before the header of the same name in Boost.Asio: this is how the drop-in takes its place.
#include <asio_proactor/drop_in/slot/io_uring_services.hpp>
