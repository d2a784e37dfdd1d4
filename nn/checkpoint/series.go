package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"

	"github.com/tapir-ml/tapir/graph"
)

// WriteFile writes the file to path, atomically: whatever happens meanwhile, power loss included, path is afterwards what it was
// or the whole new file. Its folder must exist.
func (f *File) WriteFile(path string) error { return atomically(path, f.Write) }

const unfinished = ".unfinished-" // in the names of temporary files

func atomically(path string, write func(io.Writer) error) (err error) {
	folder, name := filepath.Split(path)
	temporary, err := os.CreateTemp(filepath.Clean(folder), name+unfinished+"*") // Clean makes "." of ""
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary.Name())
		}
	}()
	err = write(temporary)
	if err == nil {
		err = temporary.Sync()
	}
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Chmod(temporary.Name(), 0o644) // temporary files are the owner's alone
	}
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Clean(folder))
}

// syncFolder makes a renaming last. Windows cannot, and need not, do that.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Series is a folder with the checkpoints of one run, which are numbered by its steps: step-000000000100.safetensors. One run
// at a time uses it.
type Series struct {
	Dir  string
	Keep int // how many of the newest stay; 0 means 2, so that one is left when the newest is damaged
}

// Save writes f as the newest checkpoint, makes the folder if there is none, and removes what is no longer to be kept: older
// ones, later ones (which Latest refused, or this one would not be the newest) and what a killed process left unfinished.
func (s Series) Save(step int, f *File) (path string, err error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(s.Dir, fmt.Sprintf("step-%012d.safetensors", step))
	if err := f.WriteFile(path); err != nil {
		return "", err
	}
	keep := s.Keep
	if keep <= 0 {
		keep = 2
	}
	files, err := s.files()
	if err != nil {
		return "", err
	}
	for _, old := range files {
		if old.step > step {
			err = errors.Join(err, os.Remove(old.path))
		} else if keep--; keep < 0 {
			err = errors.Join(err, os.Remove(old.path))
		}
	}
	entries, e := os.ReadDir(s.Dir)
	err = errors.Join(err, e)
	for _, left := range entries {
		if strings.HasPrefix(left.Name(), "step-") && strings.Contains(left.Name(), unfinished) {
			err = errors.Join(err, os.Remove(filepath.Join(s.Dir, left.Name())))
		}
	}
	return path, err
}

// Found is a checkpoint of a series.
type Found struct {
	*File
	Path    string
	Step    int
	Damaged []string // later ones that are damaged, the newest first, each with what is wrong
}

// Latest returns the newest checkpoint that is whole, nil if the folder has none or does not exist. It fails if all that are
// there are damaged.
func (s Series) Latest() (*Found, error) {
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	var damaged []string
	for _, at := range files {
		f, err := ReadFile(at.path)
		switch {
		case err == nil && !f.Verified:
			err = graph.Errorf(ErrDamaged, "%s: no checksum", at.path)
		case err == nil:
			return &Found{File: f, Path: at.path, Step: at.step, Damaged: damaged}, nil
		case !errors.Is(err, ErrDamaged) && !errors.Is(err, graph.ErrDType):
			return nil, err // it could not be read
		}
		damaged = append(damaged, err.Error())
	}
	if len(damaged) > 0 {
		return nil, graph.Errorf(ErrDamaged, "no checkpoint in %s is whole; remove them to start anew: %s", s.Dir, strings.Join(damaged, "; "))
	}
	return nil, nil
}

type numbered struct {
	step int
	path string
}

// files lists the checkpoints, the newest first.
func (s Series) files() (files []numbered, err error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	for _, e := range entries {
		var step int
		if _, err := fmt.Sscanf(e.Name(), "step-%d.safetensors", &step); err == nil && strings.HasSuffix(e.Name(), ".safetensors") {
			files = append(files, numbered{step, filepath.Join(s.Dir, e.Name())})
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].step > files[j].step })
	return files, nil
}
