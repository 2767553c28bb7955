# The platforms that images are for and built on, and what each is called: by Nix, Debian, and 7-Zip's package.
{
  "linux/amd64" = {
    system = "x86_64-linux";
    triple = "x86_64-linux-gnu";
    loader = "ld-linux-x86-64.so.2";
    sevenZip = "linux/x64/7zzs";
  };
  "linux/arm64" = {
    system = "aarch64-linux";
    triple = "aarch64-linux-gnu";
    loader = "ld-linux-aarch64.so.1";
    sevenZip = "linux/arm64/7zzs";
  };
}
