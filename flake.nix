{
  description = "pycomfy: a ComfyUI workflow becomes a pinned, bit-reproducible CUDA image";

  # flake.lock says which: the last commit that Nix 2.8 can evaluate. Images need no nixpkgs; the command line does.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.05";

  outputs =
    { self, nixpkgs }:
    let
      forSystems =
        f:
        builtins.listToAttrs (
          map
            (system: {
              name = system;
              value = f nixpkgs.legacyPackages.${system};
            })
            [
              "x86_64-linux"
              "aarch64-linux"
            ]
        );
      package = pkgs: pkgs.callPackage ./flake/package.nix { };
    in
    {
      packages = forSystems (pkgs: {
        default = package pkgs;
      });

      apps = forSystems (pkgs: {
        default = {
          type = "app";
          program = "${package pkgs}/bin/pycomfy";
          meta.description = "Turn a ComfyUI workflow into an image";
        };
      });

      overlays.default = final: _: { pycomfy = package final; };

      devShells = forSystems (pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.git
            pkgs.gnumake
            pkgs.gnupg
            pkgs.nix
            pkgs.podman
            pkgs.python313
            pkgs.skopeo
            pkgs.uv
          ];
        };
      });

      checks = forSystems (pkgs: {
        # It starts.
        package = package pkgs;
        # The builders need nothing but Python; their tests pack one package with zstandard.
        builders =
          pkgs.runCommand "pycomfy-builders-tests"
            { nativeBuildInputs = [ (pkgs.python313.withPackages (p: [ p.zstandard ])) ]; }
            ''
              cp -r ${./nix/builders} builders
              cd builders
              python -m unittest discover
              touch $out
            '';
      });

      formatter = forSystems (pkgs: pkgs.nixfmt-rfc-style);

      templates.default = {
        path = ./flake/template;
        description = "A workflow whose image `nix build` makes";
        welcomeText = "Put your workflow into workflow.json, then see README.md.";
      };

      # A workflow in a folder, locked -> its image.
      lib.image = import ./flake/image.nix;

      nixosModules.default.imports = [ ./flake/module.nix ];
    };
}
