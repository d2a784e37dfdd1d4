package step

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/cpu"

	"github.com/tapir-ml/tapir/bench/internal/contest"
)

// Peers are the libraries that can be raced.
var Peers = []string{"torch", "gorgonia", "gomlx"}

//go:embed torch.py
var torchProgram string

// Enter finds or builds what races for a peer: in folder, from the module in bench/peers. An error says what is missing.
func Enter(peer, python, folder string) ([]Entry, error) {
	switch peer {
	case "torch":
		return torch(python)
	case "gorgonia":
		program, err := build(folder, peer, "")
		return []Entry{{Peer: peer, Command: []string{program}}}, err
	case "gomlx":
		var entries []Entry
		for _, experiment := range []string{"", "simd"} {
			program, err := build(folder, peer, experiment)
			if err != nil {
				return nil, err
			}
			entries = append(entries, Entry{Peer: peer, Command: []string{program}})
		}
		return entries, nil
	}
	return nil, fmt.Errorf("no peer %q; there are %s", peer, strings.Join(Peers, ", "))
}

// torch races with the kernels that its BLAS chooses, and where there is AVX-512 with those too, which OpenBLAS does not choose
// on a processor that is newer than itself.
func torch(python string) ([]Entry, error) {
	if out, err := exec.Command(python, "-c", "import torch, numpy").CombinedOutput(); err != nil {
		said := strings.TrimSpace(string(out))
		return nil, fmt.Errorf("%s cannot import torch and numpy (%w: %s): install them, on Debian python3-torch, or name another Python with -python",
			python, err, said[strings.LastIndexByte(said, '\n')+1:])
	}
	networks, err := json.Marshal(contest.Networks())
	if err != nil {
		return nil, err
	}
	kernels := []string{""}
	if now := os.Getenv("OPENBLAS_CORETYPE"); now != "" {
		kernels[0] = now
	}
	if cpu.X86.HasAVX512F && !slices.Contains(kernels, "SkylakeX") {
		kernels = append(kernels, "SkylakeX")
	}
	var entries []Entry
	for _, k := range kernels {
		e := Entry{Peer: "torch", Command: []string{python, "-c", torchProgram, string(networks), fmt.Sprint(contest.CheckSteps)}}
		// Workers that spin while they wait take the processor from those they wait for, where a machine has no more processors
		// than threads: on two, a step takes up to ninety times as long.
		if os.Getenv("OMP_WAIT_POLICY") == "" {
			e.Env = append(e.Env, "OMP_WAIT_POLICY=PASSIVE")
		}
		if k != "" {
			e.How = "OPENBLAS_CORETYPE=" + k
			e.Env = append(e.Env, e.How)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// build compiles a contender in Go. Its module is apart from bench's, which so stays small.
func build(folder, peer, experiment string) (program string, err error) {
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tapir-ml/tapir/bench")
	dir, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("this is to be run in the module bench: %w", err)
	}
	program = filepath.Join(folder, peer+experiment)
	cmd := exec.Command("go", "build", "-o", program, "./"+peer)
	cmd.Dir = filepath.Join(strings.TrimSpace(string(dir)), "peers")
	cmd.Env = append(os.Environ(), "GOEXPERIMENT="+experiment, "GOWORK=off", "CGO_ENABLED=0")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", peer, err, said.String())
	}
	return program, nil
}
