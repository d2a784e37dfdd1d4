// Package contest is what programs that race whole training steps share: the cases, the numbers that a case starts from, and the
// protocol in which a race talks to a contender.
//
// A contender is a process of its own, one for each library and case, that runs as many steps as it is told to and says how long
// they took. So a library in Python and one in Go take turns within milliseconds, neither's garbage is the other's, and the
// peak of the memory is the library's own. Tapir runs in such a process too.
//
// The package needs the standard library alone, so that a contender's module can import it.
package contest

import (
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
)

// Case is what contenders race in: a network, the rows it is given, and what is done with its gradients.
type Case struct {
	Name      string `json:"case"`
	Batch     int    `json:"batch"`
	Optimiser string `json:"optimiser"` // sgd, adam, or none: forward only
	DType     string `json:"dtype"`
	Threads   int    `json:"threads"`
}

// Network is a stack of affine layers.
type Network struct {
	Widths     []int
	Activation string  // relu or tanh, after each layer but the last
	Last       string  // after the last layer: sigmoid or none
	Loss       string  // cross-entropy over labels, mse, or none: forward only
	Gain       float64 // the weights of a layer lie within ±√(Gain/inputs): 6 keeps the variance under relu, 3 under tanh
	Rate       float64 // of the optimiser: small, so that nothing degenerates in however many steps a race takes
	// NearIdentity makes the weights the identity and a little noise: in a deep network other weights would let everything vanish.
	NearIdentity bool
	// Setup says that the time to build, differentiate and compile is of interest, and is measured several times.
	Setup bool
}

const none = "none"

var networks = map[string]Network{
	"mlp":     {Widths: []int{784, 256, 128, 10}, Activation: "relu", Last: none, Loss: "cross-entropy", Gain: 6, Rate: 1e-4},
	"forward": {Widths: []int{784, 256, 128, 10}, Activation: "relu", Last: none, Loss: none, Gain: 6},
	"xor":     {Widths: []int{2, 8, 1}, Activation: "tanh", Last: "sigmoid", Loss: "mse", Gain: 3, Rate: 1e-4},
	"wide":    {Widths: []int{1024, 4096, 4096, 1024}, Activation: "relu", Last: none, Loss: "mse", Gain: 6, Rate: 1e-4},
	"chain":   {Widths: repeat(16, 101), Activation: "tanh", Last: none, Loss: none, Gain: 3},
	"deep":    {Widths: repeat(16, 1001), Activation: "relu", Last: none, Loss: "mse", Rate: 1e-6, NearIdentity: true, Setup: true},
}

func repeat(width, n int) []int {
	w := make([]int, n)
	for i := range w {
		w[i] = width
	}
	return w
}

// Cases are all cases, with so many threads.
func Cases(threads int) (all []Case) {
	add := func(name string, batch int, optimiser string) {
		all = append(all, Case{name, batch, optimiser, "float32", threads})
	}
	for _, batch := range []int{32, 128, 512} {
		add("mlp", batch, "sgd")
		add("mlp", batch, "adam")
	}
	add("forward", 1, none)
	add("xor", 4, "sgd")
	add("chain", 1, none)
	add("deep", 32, "sgd")
	add("wide", 128, "sgd")
	return all
}

// String is the case as ParseCase reads it.
func (c Case) String() string {
	return fmt.Sprintf("%s:%d:%s:%s:%d", c.Name, c.Batch, c.Optimiser, c.DType, c.Threads)
}

// ParseCase reads name:batch:optimiser:dtype:threads.
func ParseCase(s string) (c Case, err error) {
	f := strings.Split(s, ":")
	if len(f) != 5 {
		return c, fmt.Errorf("case %q has %d parts, want name:batch:optimiser:dtype:threads", s, len(f))
	}
	c = Case{Name: f[0], Optimiser: f[2], DType: f[3]}
	if _, ok := networks[c.Name]; !ok {
		return c, fmt.Errorf("case %q: there is no network %q", s, c.Name)
	}
	for _, n := range []struct {
		to   *int
		text string
	}{{&c.Batch, f[1]}, {&c.Threads, f[4]}} {
		if *n.to, err = strconv.Atoi(n.text); err != nil || *n.to < 1 {
			return c, fmt.Errorf("case %q: %q is no positive number", s, n.text)
		}
	}
	forward := networks[c.Name].Loss == none
	if ok := c.Optimiser == none && forward || (c.Optimiser == "sgd" || c.Optimiser == "adam") && !forward; !ok {
		return c, fmt.Errorf("case %q: optimiser %q does not go with this network", s, c.Optimiser)
	}
	if c.DType != "float32" {
		return c, fmt.Errorf("case %q: dtype is %q, want float32", s, c.DType)
	}
	return c, nil
}

// Network returns the case's network.
func (c Case) Network() Network { return networks[c.Name] }

// Layers is the number of affine layers.
func (n Network) Layers() int { return len(n.Widths) - 1 }

// Weight returns the weights of layer i, (in, out), as a contender has to start from them.
func (n Network) Weight(i int) []float32 {
	in, out := n.Widths[i], n.Widths[i+1]
	if !n.NearIdentity {
		return Numbers(in*out, uint64(2*i+3), math.Sqrt(n.Gain/float64(in)))
	}
	w := Numbers(in*out, uint64(2*i+3), 0.02)
	for j := range min(in, out) {
		w[j*out+j] += 1
	}
	return w
}

// Bias returns the biases of layer i.
func (n Network) Bias(i int) []float32 {
	scale := 0.1
	if n.NearIdentity {
		scale = 0.01
	}
	return Numbers(n.Widths[i+1], uint64(2*i+4), scale)
}

// Input returns what the network is fed: (batch, first width), from 0 to 1.
func (c Case) Input() []float32 { return positive(c.Batch*c.Network().Widths[0], 1) }

// Target returns what mse compares the output with: (batch, last width), from 0 to 1.
func (c Case) Target() []float32 {
	w := c.Network().Widths
	return positive(c.Batch*w[len(w)-1], 2)
}

// Labels returns the classes that cross-entropy is told.
func (c Case) Labels() []int64 {
	w := c.Network().Widths
	labels := make([]int64, c.Batch)
	for i := range labels {
		labels[i] = int64((i*7 + 3) % w[len(w)-1])
	}
	return labels
}

// OneHot returns the labels as rows of zeros with a one.
func (c Case) OneHot() []float32 {
	w := c.Network().Widths
	classes := w[len(w)-1]
	y := make([]float32, c.Batch*classes)
	for i, class := range c.Labels() {
		y[i*classes+int(class)] = 1
	}
	return y
}

// Numbers returns n numbers from −scale to scale: a hash of seed and index, which every contender can compute.
func Numbers(n int, seed uint64, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32((float64(hash(seed<<32+uint64(i)))*0x1p-23 - 1) * scale)
	}
	return x
}

func positive(n int, seed uint64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(float64(hash(seed<<32+uint64(i))) * 0x1p-24)
	}
	return x
}

// hash is the upper 24 bits of the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func hash(x uint64) uint64 {
	x *= 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return (x ^ x>>31) >> 40
}

// MeanSize is the mean of |x|, which stands for the loss where there is none: in a mean of x the error of what cancels would show.
func MeanSize(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += math.Abs(float64(v))
	}
	return sum / float64(len(x))
}

// Networks are the networks by name.
func Networks() map[string]Network { return maps.Clone(networks) }
