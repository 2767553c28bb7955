# As much of nixpkgs as the repository's flake names, for tests without a network: its derivations are evaluated, and
# not built.
{
  outputs =
    { self }:
    let
      lib = import ./lib.nix;
      forSystem =
        system:
        let
          derivation' =
            name: more:
            derivation (
              {
                inherit name system;
                builder = "/bin/sh";
              }
              // more
            );
          pkgs = {
            inherit lib;
            stdenv = {
              hostPlatform = { inherit system; };
              cc.cc.lib = derivation' "gcc-lib" { };
              mkDerivation =
                { pname, version, ... }@arguments:
                derivation' "${pname}-${version}" (removeAttrs arguments [
                  "meta"
                  "passthru"
                ])
                // {
                  inherit (arguments) meta;
                }
                // arguments.passthru;
            };
            buildNpmPackage =
              { pname, version, ... }@arguments: derivation' "${pname}-${version}" (removeAttrs arguments [ "version" ]);
            importNpmLock = {
              __functor =
                _:
                { package, packageLock }:
                derivation' "npm-deps" { lock = builtins.toJSON packageLock; };
              npmConfigHook = derivation' "npm-config-hook" { };
            };
            mkShell = arguments: derivation' "shell" { inherit (arguments) packages; };
            runCommand = name: more: script: derivation' name (more // { inherit script; });
            fetchurl =
              {
                url,
                sha256,
                name,
              }:
              import <nix/fetchurl.nix> { inherit url sha256 name; };
            python313 = derivation' "python3" { } // {
              withPackages = f: derivation' "python3-env" { packages = f { zstandard = derivation' "zstandard" { }; }; };
            };
            callPackage = f: more: (import f) (builtins.intersectAttrs (builtins.functionArgs (import f)) pkgs // more);
          }
          // builtins.listToAttrs (
            map
              (name: {
                inherit name;
                value = derivation' name { };
              })
              [
                "autoPatchelfHook"
                "git"
                "gnumake"
                "gnupg"
                "nix"
                "nixfmt-rfc-style"
                "podman"
                "skopeo"
                "uv"
              ]
          );
        in
        pkgs;
    in
    {
      inherit lib;
      legacyPackages = {
        x86_64-linux = forSystem "x86_64-linux";
        aarch64-linux = forSystem "aarch64-linux";
      };
    };
}
