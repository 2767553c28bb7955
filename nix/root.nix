# The Debian userland of a platform: one fixed-output tree, so that who unpacks it does not matter.
{
  fetch,
  # The machine that builds: { platform, root }, the root as the lock pins it.
  host,
  python, # "3.11"
}:
let
  arch = platform: builtins.replaceStrings [ "linux/" ] [ "" ] platform;

  # A pinned root -> its packages: [ { name, path } ]
  debs =
    root:
    map (p: {
      inherit (p) name;
      path = fetch.url {
        name = "${p.name}.deb";
        url = "${builtins.elemAt root.archives p.archive}/${p.path}";
        inherit (p) sha256;
      };
    }) root.packages;

  bootstrap = import ./bootstrap.nix {
    inherit (host) platform;
    inherit python;
    debs = debs host.root;
  };

  # pycomfy, or a binary cache, may have put the tree into the store already; then nothing of this is fetched or run.
  unpack =
    name: root:
    derivation {
      inherit name;
      inherit (bootstrap) system builder;
      args = bootstrap.arguments ++ [
        "${builtins.path {
          name = "root.py";
          path = ./builders/root.py;
        }}"
      ];
      spec = builtins.toJSON {
        debs = debs root;
        seven_zip = bootstrap.sevenZip;
      };
      passAsFile = [ "spec" ];
      outputHashMode = "recursive";
      outputHashAlgo = "sha256";
      outputHash = root.tree;
    };
in
{
  # What a root is made of: the program that opens packages, and the packages.
  ingredients = root: [ bootstrap.program ] ++ map (d: d.path) (debs root);

  tree = platform: unpack "debian-root-${arch platform}";

  # The same with compilers, for wheels that are built from source. It is in no image.
  compilers = platform: unpack "debian-compilers-${arch platform}";
}
