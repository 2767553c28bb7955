{
  description = "A ComfyUI workflow as a pinned, bit-reproducible OCI image, made by pycomfy";

  # Inputs are lazy: only `image` and `root` fetch nixpkgs; `oci`, the default, needs nothing but the lock.
  # This commit is the last that Nix 2.8 can evaluate.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/ac62194c3917d5f474c1a844b6fd6da2db95077d";

  outputs =
    { self, nixpkgs }:
    let
      lock = builtins.fromJSON (builtins.readFile ./pycomfy.lock);
      systems = {
        x86_64-linux = "linux/amd64";
        aarch64-linux = "linux/arm64";
      };
      forSystem =
        system: native:
        let
          build =
            platform:
            import ./. {
              inherit system platform;
              pkgs = nixpkgs.legacyPackages.${system};
            };
          perPlatform = builtins.listToAttrs (
            map (platform: {
              name = "oci-${builtins.replaceStrings [ "linux/" ] [ "" ] platform}";
              value = (build platform).oci;
            }) (builtins.attrNames lock.platforms)
          );
          own = build native;
        in
        perPlatform
        // {
          inherit (own) oci image;
          default = own.oci;
          # The pinned Debian packages, unpacked by nixpkgs' Python: makes the path that `oci` starts from.
          root = own.unpackedRoot;
        };
    in
    {
      packages = builtins.mapAttrs forSystem systems;
    };
}
