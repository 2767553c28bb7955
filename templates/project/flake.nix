{
  description = "A ComfyUI workflow as a pinned, bit-reproducible OCI image, made by pycomfy";

  # Only `image` needs it, and only then it is fetched. This commit is the last that Nix 2.8 can evaluate.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/ac62194c3917d5f474c1a844b6fd6da2db95077d";

  outputs =
    { self, nixpkgs }:
    let
      lock = builtins.fromJSON (builtins.readFile ./pycomfy.lock);

      # A machine builds with the Python of its own platform: if that is not locked, it has nothing here.
      hosts = {
        x86_64-linux = "linux/amd64";
        aarch64-linux = "linux/arm64";
      };
      isLocked = system: lock.platforms ? ${hosts.${system}};
      systems = builtins.filter isLocked (builtins.attrNames hosts);
      forSystems =
        f:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = f system;
          }) systems
        );

      # Build steps of node packs run programs of the image.
      hasSteps = builtins.any (pack: pack.steps or [ ] != [ ]) lock.packs;
      platformsOf =
        system: if hasSteps then [ hosts.${system} ] else builtins.attrNames lock.platforms;
      build =
        system: platform:
        import ./. {
          inherit system platform;
          pkgs = nixpkgs.legacyPackages.${system};
        };
      ofPlatforms =
        prefix: attribute: system:
        builtins.listToAttrs (
          map (platform: {
            name = prefix + builtins.replaceStrings [ "linux/" ] [ "" ] platform;
            value = (build system platform).${attribute};
          }) (platformsOf system)
        );

      app = description: program: {
        type = "app";
        program = "${program}";
        meta = { inherit description; };
      };
    in
    {
      packages = forSystems (
        system:
        ofPlatforms "oci-" "oci" system
        // rec {
          inherit (build system hosts.${system}) oci;
          default = oci;
        }
      );

      apps = forSystems (
        system:
        let
          inherit (build system hosts.${system}) programs;
        in
        rec {
          load = app "Load the image into Podman or Docker" programs.load;
          run = app "Load the image, and run it" programs.run;
          default = run;
        }
      );

      # The Debian root filesystem; and with nixpkgs, its own form of the image.
      legacyPackages = forSystems (system: {
        inherit (build system hosts.${system}) root image;
      });
    };
}
