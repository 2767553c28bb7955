# What of nixpkgs' `lib` the package and the NixOS module call, with the same results where these tests look.
rec {
  licenses.mit = {
    spdxId = "MIT";
  };
  makeBinPath = paths: builtins.concatStringsSep ":" (map (path: "${path}/bin") paths);

  escapeShellArg = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
  escapeShellArgs = texts: builtins.concatStringsSep " " (map escapeShellArg texts);
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: values: if condition then values else [ ];
  optionalString = condition: text: if condition then text else "";
  concatLists = builtins.concatLists;
  mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
  mapAttrs' = f: set: builtins.listToAttrs (mapAttrsToList f set);
  filterAttrs =
    f: set:
    removeAttrs set (builtins.filter (name: !(f name set.${name})) (builtins.attrNames set));

  mkOption = option: option;
  mkIf = condition: content: { inherit condition content; };
  mkDefault = value: value;
  literalExpression = text: text;
  types = {
    bool = builtins.isBool;
    str = builtins.isString;
    port = value: builtins.isInt value && value > 0 && value < 65536;
    path = value: builtins.isPath value || builtins.substring 0 1 value == "/";
    raw = _: true;
    nullOr = type: value: value == null || type value;
    listOf = type: builtins.all type;
    attrsOf =
      type: if type ? module then type else value: builtins.all type (builtins.attrValues value);
    submodule = module: { inherit module; };
  };

  # The values of one service: what the user gave, then what the module derives, then the defaults; each of its type.
  evalSubmodule =
    module: given:
    let
      inherit (module { inherit config; }) options;
      derived = (module { inherit config; }).config;
      config = builtins.mapAttrs (
        name: option:
        let
          value =
            given.${name} or (
              if derived.content ? ${name} && derived.condition then
                derived.content.${name}
              else
                option.default or (throw "the option ${name} has no value")
            );
        in
        if option.type value then value else throw "the option ${name} is not of its type"
      ) options;
      unknown = builtins.attrNames (removeAttrs given (builtins.attrNames options));
    in
    if unknown == [ ] then config else throw "there is no option ${toString unknown}";

  # A NixOS of one module, and of `services.pycomfy`.
  evalModule =
    {
      module,
      pkgs,
      services,
      more ? { },
    }:
    let
      made = module {
        inherit config pkgs;
        lib = import ./lib.nix;
      };
      config = more // {
        services.pycomfy = builtins.mapAttrs (
          _: evalSubmodule made.options.services.pycomfy.type.module
        ) services;
      };
    in
    if made.config.condition then made.config.content else { };
}
