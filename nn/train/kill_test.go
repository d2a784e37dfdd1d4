package train_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/nn/checkpoint"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/nn/train"
)

// The run that is killed is this test binary again, with the folder of its checkpoints, and where its result goes, in the
// environment.
const (
	childFolder = "TAPIR_TRAIN_KILLED_RUN"
	resultFile  = "TAPIR_TRAIN_RESULT"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		if err := killedRun(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killedOptions remember all that a run can: a best epoch, a plateau, averages, sums of gradients, metrics in mid-epoch.
func killedOptions() (train.Options, train.Task) {
	task := classifier(func(task *train.Task) {
		task.Accumulate, task.Average = 2, &optim.Average{Decay: 0.9}
		task.Metrics = append(task.Metrics, train.TopK(3))
	})
	return train.Options{Epochs: 12, Best: true, Monitor: "top3", Plateau: &optim.Plateau{Rate: 0.02, Patience: 1, Factor: 0.5, Threshold: 0.05}}, task
}

func killedRun(folder string) error {
	t := &testing.T{} // only to report that the data could not be made
	training, validation := digits(t)
	o, task := killedOptions()
	o.Validation = validation
	if folder != "none" {
		// Saved after every batch: where the sums of gradients, losses and metrics are in the middle of something.
		o.Checkpoints = train.Checkpoints{Dir: filepath.Join(folder, "checkpoints"), Interval: time.Nanosecond}
		fmt.Println("begins")
	}
	trainer, err := train.New(task, 7)
	if err != nil {
		return err
	}
	result, err := trainer.Fit(context.Background(), batchesOf(t, training, 20), o)
	if err != nil {
		return err
	}
	end := checkpoint.Of(trainer.State)
	end.Metadata = map[string]string{"history": result.History.CSV(), "best": fmt.Sprint(result.Best)}
	return end.WriteFile(os.Getenv(resultFile))
}

// TestKilledAndResumed kills runs at random moments and starts them again, until they end: with the bits of one that nobody
// disturbed. Now and then the newest checkpoint is damaged too, so that the one before must be found.
func TestKilledAndResumed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	begin := func(folder, result string) (*exec.Cmd, *bufio.Reader) {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childFolder+"="+folder, resultFile+"="+result)
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c, bufio.NewReader(out)
	}
	undisturbed := filepath.Join(t.TempDir(), "undisturbed")
	c, _ := begin("none", undisturbed)
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(undisturbed)
	if err != nil {
		t.Fatal(err)
	}

	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	kills, damaged, ended := 0, 0, 0
	for kills < leastKills || ended == 0 {
		folder := t.TempDir()
		result := filepath.Join(folder, "result")
		for over := false; !over; {
			c, out := begin(folder, result)
			if _, err := out.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			exited := make(chan error, 1)
			go func() { exited <- c.Wait() }()
			limit := longestLife
			if kills >= leastKills {
				limit = time.Minute // let it end
			}
			select {
			case err := <-exited:
				if err != nil {
					t.Fatal(err)
				}
				over = true
			case <-time.After(time.Duration(random.Int64N(int64(limit)))):
				if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) { // as kill -9
					t.Fatal(err)
				}
				<-exited
				kills++
			}
			if files, _ := filepath.Glob(filepath.Join(folder, "checkpoints", "step-*.safetensors")); !over && len(files) == 2 && random.IntN(4) == 0 {
				size := must(os.Stat(files[1])).Size()
				if err := os.Truncate(files[1], random.Int64N(size)); err != nil {
					t.Fatal(err)
				}
				damaged++
			}
		}
		ended++
		if got, err := os.ReadFile(result); err != nil || string(got) != string(want) {
			t.Errorf("a killed run ended with other bits (%v); seed %d", err, seed)
		}
	}
	t.Logf("%d kills and %d damaged checkpoints in %d runs", kills, damaged, ended)
}
