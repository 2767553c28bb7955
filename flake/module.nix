# Workflows as services: each version is a container that systemd runs, with Podman.
#
#   services.pycomfy.portrait = {
#     flake = inputs.portrait; # a project that pycomfy wrote: git+file:///….git?ref=portrait
#     address = "0.0.0.0";
#     openFirewall = true;
#     gpus = [ "all" ];
#     models = "/srv/models";
#     apiKeysFile = "/run/keys/portrait";
#   };
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  services = lib.filterAttrs (_: one: one.enable) config.services.pycomfy;
  unitOf = name: "pycomfy-${name}";

  options = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = "Whether to run it.";
    };
    flake = mkOption {
      type = types.nullOr types.raw;
      default = null;
      example = lib.literalExpression "inputs.portrait";
      description = "The flake of the version: a project that pycomfy wrote.";
    };
    load = mkOption {
      type = types.str;
      description = "The program that loads the image, if not that of `flake`: the path of its `apps.SYSTEM.load.program`.";
    };
    command = mkOption {
      type = types.listOf types.str;
      default = [ "serve" ];
      description = "What the image runs.";
    };
    address = mkOption {
      type = types.str;
      default = "127.0.0.1";
      description = "The address at which its API listens.";
    };
    port = mkOption {
      type = types.port;
      default = 8000;
      description = "The port of its API.";
    };
    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether other machines may connect to the port. Set `apiKeysFile`, too.";
    };
    gpus = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "all" ];
      description = "NVIDIA GPUs, as CDI names them: \"all\", numbers or UUIDs. They need `hardware.nvidia-container-toolkit.enable`.";
    };
    models = mkOption {
      type = types.nullOr types.path;
      default = null;
      description = "A folder with `checkpoints/`, `loras/` …, which is read only.";
    };
    stateDirectory = mkOption {
      type = types.str;
      default = "";
      description = "The folder below /var/lib for inputs, outputs and jobs; pycomfy/NAME unless set.";
    };
    apiKeysFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "A file of NAME:KEY lines outside of the Nix store: who may call the API. Without it, everybody who can connect.";
    };
    environment = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        PYCOMFY_RATE_LIMIT = "5";
      };
      description = "Variables for the gateway. They are in the Nix store, for all to read: no secrets.";
    };
    environmentFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "A file of NAME=VALUE lines outside of the Nix store, for secrets.";
    };
    memory = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "32g";
      description = "The most memory that it may take.";
    };
    extraOptions = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "More arguments of `podman run`.";
    };
  };

  unit =
    name: one:
    let
      state = if one.stateDirectory == "" then "pycomfy/${name}" else one.stateDirectory;
      run = [
        "${pkgs.podman}/bin/podman"
        "run"
        "--name=${unitOf name}"
        "--replace"
        "--rm"
        # systemd has the processes, and the log.
        "--cgroups=split"
        "--log-driver=passthrough"
        "--sdnotify=conmon"
        "--detach"
        "--pull=never"
        "--read-only"
        "--cap-drop=all"
        "--security-opt=no-new-privileges"
        "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777,U"
        "--volume=/var/lib/${state}:/data:U"
        "--publish=${one.address}:${toString one.port}:8000"
      ]
      ++ lib.optional (one.models != null) "--volume=${toString one.models}:/models:ro"
      ++ map (gpu: "--device=nvidia.com/gpu=${gpu}") one.gpus
      ++ lib.optionals (one.apiKeysFile != null) [
        "--volume=/run/${unitOf name}/keys:/run/pycomfy/keys:ro"
        "--env=PYCOMFY_API_KEYS_FILE=/run/pycomfy/keys"
      ]
      ++ lib.mapAttrsToList (variable: value: "--env=${variable}=${value}") one.environment
      ++ lib.optional (one.environmentFile != null) "--env-file=${one.environmentFile}"
      ++ lib.optional (one.memory != null) "--memory=${one.memory}"
      ++ one.extraOptions;
    in
    {
      description = "ComfyUI workflow ${name}";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      path = [ pkgs.podman ];
      preStop = "podman stop --ignore --time 90 ${unitOf name}";
      # Loading an image for the first time takes longer than systemd waits.
      serviceConfig = {
        Type = "notify";
        NotifyAccess = "all";
        TimeoutStartSec = "30min";
        TimeoutStopSec = "2min";
        Restart = "on-failure";
        RestartSec = "5s";
        Delegate = true;
        KillMode = "mixed";
        StateDirectory = state;
        RuntimeDirectory = unitOf name;
        SyslogIdentifier = unitOf name;
      }
      // (if one.apiKeysFile == null then { } else { LoadCredential = "keys:${one.apiKeysFile}"; });
      # What it prints is the image's name and id.
      script = ''
        loaded=$(${lib.escapeShellArg one.load} --engine podman)
        ${lib.optionalString (one.apiKeysFile != null) ''
          # The gateway runs as the user 1000.
          install -m 0400 -o 1000 -g 1000 "$CREDENTIALS_DIRECTORY/keys" /run/${unitOf name}/keys
        ''}
        exec ${lib.escapeShellArgs run} "''${loaded##* }" ${lib.escapeShellArgs one.command}
      '';
    };
in
{
  options.services.pycomfy = mkOption {
    type = types.attrsOf (
      types.submodule (
        { config, ... }:
        {
          inherit options;
          config = lib.mkIf (config.flake != null) {
            load = lib.mkDefault config.flake.apps.${pkgs.stdenv.hostPlatform.system}.load.program;
          };
        }
      )
    );
    default = { };
    description = "Versions of ComfyUI workflows, by the name of the service.";
  };

  config = lib.mkIf (services != { }) {
    virtualisation.podman.enable = true;
    systemd.services = lib.mapAttrs' (name: one: {
      name = unitOf name;
      value = unit name one;
    }) services;
    networking.firewall.allowedTCPPorts = lib.mapAttrsToList (_: one: one.port) (
      lib.filterAttrs (_: one: one.openFirewall) services
    );
    assertions = lib.concatLists (
      lib.mapAttrsToList (name: one: [
        {
          assertion = one.gpus == [ ] || config.hardware.nvidia-container-toolkit.enable or false;
          message = "services.pycomfy.${name}.gpus needs hardware.nvidia-container-toolkit.enable = true";
        }
        {
          assertion = !one.openFirewall || one.address != "127.0.0.1";
          message = "services.pycomfy.${name}.openFirewall needs an address that other machines reach, as 0.0.0.0";
        }
      ]) services
    );
  };
}
