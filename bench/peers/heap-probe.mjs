// Preloaded where garbage is counted: says how many octets are on the heap whenever the parent asks.
process.on("message", () => process.send?.(process.memoryUsage().heapUsed));
