# The image of a workflow in a user's folder, as `pycomfy lock` left it, or in a project that pycomfy wrote.
#
#   (pycomfy.lib.image { project = ./.; workflow = "portrait.json"; system = "x86_64-linux"; }).oci
#
# -> what nix/default.nix makes: { oci, layers, root, sources, programs, image, … }
{
  project,
  workflow ? "workflow.json",
  system,
  platform ? null,
  pkgs ? throw "pycomfy.lib.image: `image` needs `pkgs`, nixpkgs for ${system}; `oci` does not",
}:
let
  file = project + "/${workflow}";
  sha256 = builtins.hashFile "sha256" file;
  json = builtins.match "(.*)\\.json" workflow;

  # As pycomfy has it: `pycomfy.lock` is that of the folder's one workflow, else each has one beside it.
  candidates = builtins.filter (name: builtins.pathExists (project + "/${name}")) (
    [ "pycomfy.lock" ]
    ++ (if json == null then [ ] else [ "${builtins.head json}.lock" ])
    ++ [ "${workflow}.lock" ]
  );
  isOf = name: (builtins.fromJSON (builtins.readFile (project + "/${name}"))).workflow.sha256 or null == sha256;
  found = builtins.filter isOf candidates;
  lock =
    if !builtins.pathExists file then
      throw "pycomfy.lib.image: ${toString project} has no ${workflow}: name the file of the workflow"
    else if candidates == [ ] then
      throw "pycomfy.lib.image: ${workflow} is not locked: `pycomfy lock ${workflow}`, and let git know of the lock"
    else if found == [ ] then
      throw "pycomfy.lib.image: ${workflow} has changed since ${toString candidates} was made: `pycomfy lock ${workflow}`"
    else
      builtins.head found;

  # A project that pycomfy wrote has its own gateway, and its prompt.
  isProject = builtins.pathExists (project + "/gateway/__main__.py");
in
import ../nix {
  inherit
    project
    system
    platform
    pkgs
    ;
  lockFile = project + "/${lock}";
  workflowFile = file;
  gatewayFolder = if isProject then project + "/gateway" else ../pycomfy/gateway;
  localFolder = if isProject then null else project;
  # They are of one workflow.
  withPrompt = isProject || workflow == "workflow.json";
}
