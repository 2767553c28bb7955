"""Whether a CUDA device can be used, asked of the driver itself: importing torch for it would take seconds."""

import ctypes


def has_gpu(library: str = "libcuda.so.1") -> bool:
    """True if the driver is in the container and reports at least one device. Never raises."""
    return count_gpus(library) > 0


def count_gpus(library: str = "libcuda.so.1") -> int:
    """How many devices the driver reports; 0 without a driver. Never raises."""
    try:
        cuda = ctypes.CDLL(library)
        count = ctypes.c_int(0)
        answered = cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0
        return count.value if answered else 0
    except (OSError, AttributeError):
        return 0


def check_gpu(accelerator: str | None, library: str = "libcuda.so.1") -> str:
    """What is wrong with the GPU for an image whose PyTorch is for `accelerator`, such as cu128; empty if nothing is.

    Versions of one major release work with each other, so only an older major release is wrong.
    """
    if not accelerator or not accelerator.startswith("cu"):
        return ""
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        what = f"this image is for CUDA ({accelerator}), and it was given no GPU: jobs run on the CPU"
        return f"{what}; start it with --gpus all"
    code = cuda.cuInit(0)
    if code != 0:
        what = f"the GPU's driver does not start (CUDA error {code}): jobs run on the CPU"
        return f"{what}; does nvidia-smi work on the host?"
    version = ctypes.c_int(0)
    cuda.cuDriverGetVersion(ctypes.byref(version))
    major, minor = version.value // 1000, version.value % 1000 // 10
    needed = accelerator.removeprefix("cu")[:-1]
    if needed.isdigit() and major < int(needed):
        what = f"the GPU's driver is for CUDA {major}.{minor}, and this image needs CUDA {needed}"
        return f"{what}: update the host's driver"
    return ""
