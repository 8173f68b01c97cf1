# A Homebrew formula for parlor: `brew install --formula ./parlor.rb`. At a release: set the version
# in `url`, and `sha256` below it.
class Parlor < Formula
  desc "Live chat in the browser, in one small binary"
  homepage "https://crates.io/crates/parlor"
  url "https://static.crates.io/crates/parlor/parlor-0.1.0.crate"
  license "MIT"

  depends_on "rust" => :build

  def install
    system "tar", "--strip-components", "1", "-xzf", "parlor-#{version}.crate"
    system "cargo", "install", *std_cargo_args
    generate_completions_from_executable(bin/"parlor", "completions")
    (man1/"parlor.1").write Utils.safe_popen_read(bin/"parlor", "man")
  end

  def post_install
    (var/"parlor").mkpath
  end

  service do
    run [opt_bin/"parlor", "--history", var/"parlor/parlor.db"]
    keep_alive true
    error_log_path var/"log/parlor.log"
  end

  test do
    port = free_port
    pid = spawn bin/"parlor", "--no-history", "--listen", "127.0.0.1:#{port}"
    sleep 2
    system bin/"parlor", "health", "http://127.0.0.1:#{port}/"
  ensure
    Process.kill "TERM", pid
  end
end
