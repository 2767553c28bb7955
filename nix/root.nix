# The Debian userland of a platform: one fixed-output tree, so that who unpacks it does not matter.
{ fetch }:
let
  arch = platform: builtins.replaceStrings [ "linux/" ] [ "" ] platform;
  name = platform: "debian-root-${arch platform}";
in
{
  inherit name;

  # The tree, which pycomfy or a binary cache puts into the store.
  # Nix alone has nothing to unpack a .deb with; `unpack` below is the way with nixpkgs.
  tree =
    platform: root:
    fetch.given {
      name = name platform;
      hash = root.tree;
      how = "python3 nix/builders/root.py --lock pycomfy.lock --platform ${platform} ${name platform}";
    };

  # The same with compilers, for wheels that are built from source. It is in no image.
  compilers =
    platform: root:
    let
      name = "debian-compilers-${arch platform}";
    in
    fetch.given {
      inherit name;
      hash = root.tree;
      how = "python3 nix/builders/root.py --lock pycomfy.lock --platform ${platform} --compilers ${name}";
    };

  # The same path, unpacked by nixpkgs' Python from the pinned packages.
  unpack =
    pkgs: platform: root:
    derivation {
      name = name platform;
      inherit (pkgs.stdenv.hostPlatform) system;
      builder = "${pkgs.python3}/bin/python3";
      args = [
        "-I"
        "-B"
        "${./builders/root.py}"
      ];
      spec = builtins.toJSON {
        debs = map (p: {
          inherit (p) name;
          path = fetch.url {
            url = "${builtins.elemAt root.archives p.archive}/${p.path}";
            inherit (p) sha256;
            name = builtins.replaceStrings [ "~" "%3a" ] [ "-" "-" ] (baseNameOf p.path);
          };
        }) root.packages;
      };
      passAsFile = [ "spec" ];
      outputHashMode = "recursive";
      outputHashAlgo = "sha256";
      outputHash = root.tree;
    };
}
