# Which layers an image has, and their order, bottom first.
#
# An engine keeps a layer by all that lies below it: below an insertion or a change everything stays, above it
# everything is stored anew. So that costs the least where a layer lies the lower, the less often it changes for its
# size. How often is told by names, which stay; versions and sizes would move a layer with each update:
#
#   torch, triton, CUDA's libraries   gigabytes; they change with PyTorch alone, and most images have the same ones
#   other large wheels                each changes with its own releases
#   root, venv, gateway               Debian's updates, releases of pycomfy: about 100 MB, often, or for one workflow
#   comfyui-…                         large wheels that each release of ComfyUI pins
#   wheels-…                          the buckets of small wheels: any requirement
#   comfyui                           its commit
#   packs of an address               their commits
#   packs of a folder                 edited at any time
#   workflow                          every version
#
# Among themselves they are in the order of their names. So a new part takes a place of its own, and no two others
# change places; as long as there are layers enough, it changes no other's contents, either.
{
  wheels, # of the lock: [ { name, size, … } ]
  packs, # [ { name, source, … } ]
}:
let
  inherit (builtins)
    filter
    genList
    length
    match
    sort
    ;

  # Podman 4 names all layers in one page of mount options: 4096 bytes.
  mostLayers = 70;

  # A wheel of this size (compressed) or more has a layer of its own.
  largeWheel = 4 * 1024 * 1024;

  mostOwnPacks = 20;

  # A part is in the bucket with the first digit of its name's SHA-256: what else there is does not matter, nor its
  # version.
  buckets = [
    "01"
    "23"
    "45"
    "67"
    "89"
    "ab"
    "cd"
    "ef"
  ];
  isIn = digits: part: match "[${digits}].*" (builtins.hashString "sha256" part.name) != null;
  bucketed =
    kind: parts:
    filter (layer: layer.${kind} != [ ]) (
      map (digits: {
        name = "${kind}-${digits}";
        ${kind} = filter (isIn digits) parts;
      }) buckets
    );

  byName = sort (a: b: a.name < b.name);
  # -> { chosen, others }: the first `n` of the list.
  split = n: list: {
    chosen = genList (builtins.elemAt list) (if n < length list then n else length list);
    others = genList (i: builtins.elemAt list (n + i)) (if n < length list then length list - n else 0);
  };

  fixed = map (name: { inherit name; });
  system = fixed [
    "root"
    "venv"
    "gateway"
  ];
  comfyui = fixed [ "comfyui" ];
  workflow = fixed [ "workflow" ];

  isFolder = p: p.source.kind == "path";
  folders = filter isFolder (byName packs);
  addresses = filter (p: !isFolder p) (byName packs);
  ownPacks = split mostOwnPacks (folders ++ addresses);
  packLayer = p: {
    name = "pack-${p.name}";
    packs = [ p ];
  };
  packLayers =
    map packLayer (filter (p: !isFolder p) ownPacks.chosen)
    ++ bucketed "packs" ownPacks.others
    ++ map packLayer (filter isFolder ownPacks.chosen);

  ofPyTorch = w: match "torch|triton|nvidia-(cu|nccl|nvjitlink|nvshmem|nvtx).*" w.name != null;
  ofComfyUI = w: match "comfyui-.*" w.name != null;
  isOther = w: !(ofPyTorch w || ofComfyUI w);

  # Where there are more large wheels than layers, the smallest of them are in buckets, too: one more for each part that
  # is added. PyTorch's are not, or else an image that has many parts would share the layers above with no other.
  left = mostLayers - length (system ++ buckets ++ comfyui ++ packLayers ++ workflow);
  isLarge = w: w.size >= largeWheel;
  largest =
    belongs:
    sort (a: b: a.size > b.size || (a.size == b.size && a.name < b.name)) (
      filter (w: isLarge w && belongs w) wheels
    );
  large = split left (largest ofPyTorch ++ largest (w: !ofPyTorch w));
  small = filter (w: !isLarge w) wheels ++ large.others;

  ownLayers =
    belongs:
    map (w: {
      inherit (w) name;
      wheels = [ w ];
    }) (byName (filter belongs large.chosen));
in
# [ { name, wheels } | { name, packs } | { name } ], the last being those that every image has
ownLayers ofPyTorch
++ ownLayers isOther
++ system
++ ownLayers ofComfyUI
++ bucketed "wheels" (byName small)
++ comfyui
++ packLayers
++ workflow
