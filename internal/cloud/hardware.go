package cloud

import (
	"slices"
	"strconv"
	"strings"
)

// InstanceType is a size of machine that a region offers.
type InstanceType struct {
	Name     string
	CPU      int   // virtual processors, at least 1
	Memory   Bytes // at least 1
	GPUModel string
	GPUCount int // 0 for none
}

// Bytes is an amount of memory or storage.
type Bytes int64

// byteUnits are the suffixes of quantities, largest first.
var byteUnits = []struct {
	suffix string
	size   Bytes
}{{"Ti", 1 << 40}, {"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10}}

// String writes it as a quantity: "960Gi".
func (b Bytes) String() string {
	for _, unit := range byteUnits {
		if b != 0 && b%unit.size == 0 {
			return strconv.FormatInt(int64(b/unit.size), 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MaxBytes bounds every quantity: 1 EiB less one byte.
const MaxBytes Bytes = 1<<60 - 1

// ParseBytes reads a quantity: a whole number with Ki, Mi, Gi, Ti or nothing
// behind it, over zero and up to MaxBytes.
func ParseBytes(field, text string) (Bytes, error) {
	size, digits := Bytes(1), text
	for _, unit := range byteUnits {
		if rest, ok := strings.CutSuffix(text, unit.suffix); ok {
			size, digits = unit.size, rest
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 60)
	if err != nil || n == 0 || Bytes(n) > MaxBytes/size {
		return 0, Invalid("%s must be a whole quantity over zero such as 512Gi; got %s", field, quoted(text))
	}
	return Bytes(n) * size, nil
}

// Host is a machine on which instances run, as its engine describes it.
type Host struct {
	Name   string // also the source that vouches for what runs there
	CPU    int    // virtual processors that it has to give
	Memory Bytes
	GPUs   []GPU
}

// GPU is one of a host's, given to one instance at a time.
type GPU struct {
	Model   string
	Address string // of its PCI function, as 0000:65:00.0; unique on its host
}

// HostUse is a host and what of it is taken.
type HostUse struct {
	Host
	CPUUsed    int
	MemoryUsed Bytes
	GPUsUsed   []string // addresses
}

// Fits tells how many more instances of a type there is room for.
func (h HostUse) Fits(t InstanceType) int {
	n := min((h.CPU-h.CPUUsed)/max(t.CPU, 1), int((h.Memory-h.MemoryUsed)/max(t.Memory, 1)))
	if t.GPUCount > 0 && n > 0 {
		n = min(n, len(h.FreeGPUs(t.GPUModel))/t.GPUCount)
	}
	return max(n, 0)
}

// FreeGPUs lists the addresses of the GPUs of a model that nobody has, in
// order.
func (h HostUse) FreeGPUs(model string) (free []string) {
	for _, gpu := range h.GPUs {
		if gpu.Model == model && !slices.Contains(h.GPUsUsed, gpu.Address) {
			free = append(free, gpu.Address)
		}
	}
	return free
}
