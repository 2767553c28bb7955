"""Files, processes, the network and threads: what every other adapter uses."""
