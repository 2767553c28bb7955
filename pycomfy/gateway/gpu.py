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
