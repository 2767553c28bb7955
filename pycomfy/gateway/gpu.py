"""Whether a CUDA device can be used, asked of the driver itself: importing torch for it would take seconds."""

import ctypes


def has_gpu(library: str = "libcuda.so.1") -> bool:
    """True if the driver is in the container and reports at least one device. Never raises."""
    try:
        cuda = ctypes.CDLL(library)
        count = ctypes.c_int(0)
        return cuda.cuInit(0) == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    except (OSError, AttributeError):
        return False
