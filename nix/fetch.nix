# Everything that is fetched, as fixed-output derivations: a binary cache can stand in for any URL that died.
{
  project, # the folder
  # Where the lock's relative paths lie, in a user's folder; a project has none of them.
  localFolder ? null,
  # The interpreter that runs the builders (see python.nix).
  runPython,
}:
let
  # What no address is for, or none that gives the same bytes, travels in the project: a tree as `NAME.tar`, a file
  # under its name.
  carried = name: project + "/sources/${name}";
  isCarried = name: builtins.pathExists (carried name);
  copied =
    name:
    builtins.path {
      name = "carried-${name}";
      path = carried name;
    };

  # What is too large to travel, so that pycomfy or a binary cache must have put it into the store: a tree by its
  # recursive hash, or a `flat` file by the hash of its bytes.
  # Example: given { name = "our-nodes"; hash = "sha256-…"; origin = "a local folder"; }
  given =
    {
      name,
      hash,
      origin,
      flat ? false,
    }:
    runPython (
      {
        inherit name;
        script = "given.py";
        spec = { inherit name origin flat; };
      }
      // (if flat then { file = hash; } else { fixed = hash; })
    );

  url =
    {
      url,
      sha256,
      name,
    }:
    import <nix/fetchurl.nix> { inherit url sha256 name; };

  tree =
    name: hash:
    runPython {
      inherit name;
      script = "carried_tree.py";
      spec.archive = copied "${name}.tar";
      fixed = hash;
    };

  isLocal =
    path:
    localFolder != null
    && builtins.match "/.*|(.*/)?\\.\\.(/.*)?" path == null
    && builtins.pathExists (localFolder + "/${path}");

  # A tree or file of the user's folder, which must be what the lock pins: `pinned`.
  taken =
    name: pinned: arguments:
    let
      here = builtins.path ({ inherit name; } // arguments);
    in
    if builtins.unsafeDiscardStringContext here == builtins.unsafeDiscardStringContext pinned.outPath then
      here
    else
      throw "pycomfy.lock: ${name} has changed since: `pycomfy lock`";

  bySource = {
    git =
      { name, source }:
      if source ? patch then
        given {
          inherit name;
          hash = source.tree;
          origin = "the commit ${source.commit} of ${source.url}, with a patch";
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
      let
        pinned = given {
          inherit name;
          hash = source.tree;
          origin = "the local folder ${source.path}";
        };
      in
      if isLocal source.path then
        taken name pinned {
          path = localFolder + "/${source.path}";
          # As pycomfy copies it.
          filter =
            path: _: builtins.match "\\.git|__pycache__|.*\\.pyc|pycomfy\\.lock" (baseNameOf path) == null;
        }
      else
        pinned;
  };
in
{
  inherit given url;

  # A wheel of the lock -> the file; a `url` that is a path is of a wheel on somebody's disk.
  wheel =
    w:
    if builtins.match "[a-z]+://.*" w.url != null then
      url {
        inherit (w) url sha256;
        name = w.filename;
      }
    else if isCarried w.filename then
      url {
        inherit (w) sha256;
        name = w.filename;
        url = "file://${copied w.filename}";
      }
    else
      let
        pinned = given {
          name = w.filename;
          hash = w.sha256;
          origin = "the local wheel ${w.url}";
          flat = true;
        };
      in
      if isLocal w.url then
        taken w.filename pinned {
          path = localFolder + "/${w.url}";
          recursive = false;
        }
      else
        pinned;

  # One source of the lock -> its store path: a tree for git and path, a file for url and wheel-tree.
  source =
    name: source:
    if isCarried "${name}.tar" then
      tree name source.tree
    else
      (bySource.${source.kind} or (throw "pycomfy.lock: ${name}: unknown kind of source: ${source.kind}")) {
        inherit name source;
      };
}
