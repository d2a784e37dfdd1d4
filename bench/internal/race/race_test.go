package race

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/internal/kernel"
)

func acts() []string {
	all := []string{noAct}
	for a := kernel.ActIdentity + 1; a <= kernel.ActExp; a++ {
		all = append(all, a.String())
	}
	return all
}

// Every peer that is here computes every operation and activation; compare stops at a wrong one.
func TestPeersAgree(t *testing.T) {
	peers := append(slices.Clone(Peers), Self)
	if missing, why := Missing(peers); len(missing) > 0 {
		t.Logf("without %s: %s", strings.Join(missing, ", "), strings.Join(why, "; "))
		peers = slices.DeleteFunc(peers, func(p string) bool { return slices.Contains(missing, p) })
	}
	opt := Options{Peers: peers, Time: time.Microsecond, Rounds: 2}
	for _, sizes := range [][3]int{{5, 7, 11}, {1, 19, 33}} {
		for _, dtype := range []string{"float32", "float64"} {
			for _, op := range []Op{Forward, Infer, GradX, GradW} {
				for _, act := range acts() {
					if op == GradW && act != noAct {
						continue
					}
					for _, threads := range []int{1, 2} {
						if threads == 2 && act != "relu" {
							continue
						}
						c := Case{sizes[0], sizes[1], sizes[2], op, dtype, act, threads, 0}
						t.Run(c.String(), func(t *testing.T) {
							results, err := Run(c, opt)
							if err != nil {
								t.Fatal(err)
							}
							for _, r := range results {
								if r.Peer != Ceiling && (r.NsOpMin <= 0 || r.NsOpMedian < r.NsOpMin) {
									t.Errorf("%+v", r)
								}
							}
						})
					}
				}
			}
		}
	}
}

// slope is the derivative of activation.
func TestSlope(t *testing.T) {
	for _, name := range acts() {
		act, _ := actNamed(name)
		for _, z := range []float64{-2.5, -0.3, 0.4, 3} {
			const h = 1e-6
			want := (activation(act, z+h) - activation(act, z-h)) / (2 * h)
			s := z
			if act.FromOutput() {
				s = activation(act, z)
			}
			if got := slope(act, s); math.Abs(got-want) > 1e-8 {
				t.Errorf("%s′(%v) = %v, want %v", name, z, got, want)
			}
		}
	}
}

func TestWrongResultStops(t *testing.T) {
	c := Case{40, 30, 70, Forward, "float32", "tanh", 1, 0}
	for _, at := range []int{0, 1234, 40*70 - 1} {
		sets := newOperands[float32](c, WorkingSet)
		right := newTapir(c, sets)
		wrong := newNaive(c, sets)
		plain := wrong.run
		wrong.run = func(n int) {
			plain(n)
			for _, o := range sets {
				o.c[at] += 1e-2
			}
		}
		if err := compare(c, sets, []*contender{right, wrong}); err == nil || !strings.Contains(err.Error(), "naive is wrong") {
			t.Errorf("an error in element %d: %v", at, err)
		}
		wrong.run = func(int) {} // leaves NaN
		if err := compare(c, sets, []*contender{right, wrong}); err == nil {
			t.Error("nothing computed, no error")
		}
	}
}

func TestSetsFor(t *testing.T) {
	for bytes, want := range map[int]int{100: maxSets, WorkingSet / 8: 8, WorkingSet/8 - 1: 9, WorkingSet: minSets, 100 * WorkingSet: minSets} {
		if got := setsFor(bytes, WorkingSet); got != want {
			t.Errorf("%d bytes: %d sets, want %d", bytes, got, want)
		}
	}
}

func TestSingleSet(t *testing.T) {
	if got := setsFor(100, 0); got != 1 {
		t.Errorf("%d sets, want 1", got)
	}
}

func TestUnknownPeerIsNotOffered(t *testing.T) {
	results, err := Run(Case{2, 3, 4, Forward, "float32", "relu", 1, 0}, Options{Peers: []string{"nobody"}, Time: time.Microsecond, Rounds: 1})
	if err != nil || len(results) != 2 {
		t.Errorf("%+v, error %v, want Tapir alone", results, err)
	}
}
