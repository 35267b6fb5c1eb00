// A plain Asio echo over loopback TCP. It asks the kernel, not the library, what it is being served by.
#include <boost/asio.hpp>
#include <array>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int message_count = 64;
constexpr std::size_t message_bytes = 64;

// Which kernel facility this process holds open: epoll, io_uring or both.
std::string open_backends()
{
  bool epoll = false, io_uring = false;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
  {
    std::error_code ec;
    const std::string target = std::filesystem::read_symlink(entry.path(), ec).string();
    epoll = epoll || target == "anon_inode:[eventpoll]";
    io_uring = io_uring || target == "anon_inode:[io_uring]";
  }
  if (epoll && io_uring)
    return "epoll and io_uring";
  return io_uring ? "io_uring" : epoll ? "epoll" : "nothing known";
}

class echo_server
{
public:
  explicit echo_server(tcp::socket socket) : socket_(std::move(socket)) {}

  void read()
  {
    socket_.async_read_some(asio::buffer(data_), [this](error_code ec, std::size_t n) {
      if (ec)
        return; // the client has had all its messages
      asio::async_write(socket_, asio::buffer(data_, n), [this](error_code failed, std::size_t) {
        if (!failed)
          read();
      });
    });
  }

private:
  tcp::socket socket_;
  std::array<char, message_bytes> data_{};
};

class echo_client
{
public:
  explicit echo_client(tcp::socket& socket) : socket_(socket) {}

  int echoed() const { return echoed_; }
  const std::string& backends() const { return backends_; }

  void send()
  {
    message_.fill(static_cast<char>('a' + echoed_ % 26));
    asio::async_write(socket_, asio::buffer(message_), [this](error_code ec, std::size_t) {
      if (!ec)
        receive();
    });
  }

private:
  void receive()
  {
    asio::async_read(socket_, asio::buffer(reply_), [this](error_code ec, std::size_t) {
      if (ec || reply_ != message_)
        return;
      if (++echoed_ < message_count)
        return send();
      backends_ = open_backends();
      socket_.close();
    });
  }

  tcp::socket& socket_;
  std::array<char, message_bytes> message_{}, reply_{};
  std::string backends_;
  int echoed_ = 0;
};

} // namespace

int main()
{
  asio::io_context context;
  tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  tcp::socket socket(context);
  socket.connect(acceptor.local_endpoint());
  echo_server server(acceptor.accept());
  echo_client client(socket);
  server.read();
  client.send();
  context.run();
  std::cout << "echoed " << client.echoed() << " messages through " << client.backends() << std::endl;
  return client.echoed() == message_count ? 0 : 1;
}
