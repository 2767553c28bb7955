# The platforms that images are for and built on, and what each is called: by Nix and Debian.
{
  "linux/amd64" = {
    system = "x86_64-linux";
    triple = "x86_64-linux-gnu";
    loader = "ld-linux-x86-64.so.2";
  };
  "linux/arm64" = {
    system = "aarch64-linux";
    triple = "aarch64-linux-gnu";
    loader = "ld-linux-aarch64.so.1";
  };
}
