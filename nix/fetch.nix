# Everything that is fetched, as fixed-output derivations: a binary cache can stand in for any URL that died.
{
  # The interpreter that runs the builders (see python.nix).
  runPython,
}:
let
  # What pycomfy, or a binary cache, must already have put into the store: a tree by its recursive hash, or a `flat`
  # file by the hash of its bytes.
  # Example: given { name = "debian-root-amd64"; hash = "sha256-…"; how = "python3 nix/builders/root.py …"; }
  given =
    {
      name,
      hash,
      how,
      flat ? false,
    }:
    derivation {
      inherit name;
      system = "builtin";
      builder = "builtin:fetchurl";
      # Nothing can be fetched from here. Nix prints the URL when it fails: so the URL says what to do.
      url = "file:///not-in-the-store-or-any-substituter/${builtins.replaceStrings [ " " ] [ "_" ] how}";
      unpack = !flat;
      executable = false;
      outputHashMode = if flat then "flat" else "recursive";
      outputHashAlgo = "sha256";
      outputHash = hash;
      preferLocalBuild = true;
    };

  url =
    {
      url,
      sha256,
      name,
    }:
    import <nix/fetchurl.nix> { inherit url sha256 name; };

  bySource = {
    git =
      { name, source }:
      if source ? patch then
        given {
          inherit name;
          hash = source.tree;
          how = "pycomfy build applies the patch of this source, and puts its tree into the store";
        }
      else
        runPython {
          inherit name;
          script = "git_tree.py";
          spec = {
            inherit (source) url commit submodules;
          }
          // (if source.lfs or false then { inherit (source) lfs; } else { });
          fixed = source.tree;
        };
    url =
      { source, ... }:
      url { inherit (source) url sha256 name; };
    wheel-tree =
      { source, ... }:
      url { inherit (source) url sha256 name; };
    path =
      { name, source }:
      given {
        inherit name;
        hash = source.tree;
        how = "pycomfy build puts this local folder into the store";
      };
  };
in
{
  inherit given url;

  # A wheel of the lock -> the file; a `url` that is a path is of a wheel on somebody's disk.
  wheel =
    w:
    if builtins.match "[a-z]+://.*" w.url == null then
      given {
        name = w.filename;
        hash = w.sha256;
        how = "pycomfy build puts this local wheel into the store";
        flat = true;
      }
    else
      url {
        inherit (w) url sha256;
        name = w.filename;
      };

  # One source of the lock -> its store path: a tree for git and path, a file for url and wheel-tree.
  source =
    name: source:
    (bySource.${source.kind} or (throw "pycomfy.lock: ${name}: unknown kind of source: ${source.kind}")) {
      inherit name source;
    };
}
