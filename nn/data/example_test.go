package data_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"strings"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
)

func ExampleBatches() {
	digits, err := data.Digits(graph.Float32)
	if err != nil {
		log.Fatal(err)
	}
	parts, err := digits.Split(42, 0.7, 0.15, 0.15)
	if err != nil {
		log.Fatal(err)
	}
	scale, err := data.FitMinMaxJoint(parts[0].X) // of the training split only
	if err != nil {
		log.Fatal(err)
	}
	if err := scale.ApplyTo(parts...); err != nil {
		log.Fatal(err)
	}
	batches, err := data.NewBatches(parts[0], 500, 42)
	if err != nil {
		log.Fatal(err)
	}
	for batches.Start(1); batches.Next(); {
		fmt.Println(batches.Batch().X.Shape(), batches.Batch().Y.Shape())
	}
	// Output:
	// (500, 64) (500)
	// (500, 64) (500)
	// (258, 64) (258)
}

// A table of animals becomes a set: a column is left out, a row without its weight too, and the kind becomes labels.
func ExampleReadCSV() {
	const animals = `name,legs,weight,kind
cat,4,4.2,mammal
owl,2,,bird
cow,4,700,mammal
eel,0,2,fish
`
	table, err := data.ReadCSV(strings.NewReader(animals), data.CSVOptions{Missing: []string{""}})
	if err != nil {
		log.Fatal(err)
	}
	table, err = table.DropMissing().Without("name")
	if err != nil {
		log.Fatal(err)
	}
	set, err := table.Labelled(graph.Float32, "kind", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(set.Features, set.X.Data())
	fmt.Println(set.Labels, set.Y.Data())

	_, err = data.ReadCSV(strings.NewReader(animals), data.CSVOptions{})
	fmt.Println(err)
	// Output:
	// [legs weight] [4 4.2 4 700 0 2]
	// [fish mammal] [1 1 0]
	// line 3, column 3 (weight): the value is missing (""); fill it in, or name such cells in CSVOptions.Missing and DropMissing
}

// What scales a model's input is saved beside it, and brought back.
func ExampleStandard() {
	wines, err := data.Wine(graph.Float64)
	if err != nil {
		log.Fatal(err)
	}
	alcohol, err := wines.Only(0)
	if err != nil {
		log.Fatal(err)
	}
	scale, err := data.FitStandard(alcohol.X)
	if err != nil {
		log.Fatal(err)
	}
	saved, err := json.Marshal(scale)
	if err != nil {
		log.Fatal(err)
	}
	var loaded data.Standard
	if err := json.Unmarshal(saved, &loaded); err != nil {
		log.Fatal(err)
	}
	scaled, err := loaded.Apply(alcohol.X)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f ± %.2f, the first wine's %.2f is %.2f\n", loaded.Mean[0], loaded.Deviation[0], alcohol.X.Float64s()[0], scaled.Float64s()[0])
	// Output:
	// 13.00 ± 0.81, the first wine's 14.23 is 1.52
}

// Each flower is tested with once, by a model that was trained with the others.
func ExampleSet_KFoldStratified() {
	iris, err := data.Iris(graph.Float32)
	if err != nil {
		log.Fatal(err)
	}
	folds, err := iris.KFoldStratified(1, 5)
	if err != nil {
		log.Fatal(err)
	}
	for _, fold := range folds {
		train, test, err := fold.Sets(iris)
		if err != nil {
			log.Fatal(err)
		}
		counts, err := test.Counts()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(train.Len(), test.Len(), counts)
	}
	// Output:
	// 120 30 [10 10 10]
	// 120 30 [10 10 10]
	// 120 30 [10 10 10]
	// 120 30 [10 10 10]
	// 120 30 [10 10 10]
}

// A goroutine makes the coming batches, and changes them, while one is worked on.
func ExamplePrefetch() {
	iris, err := data.Iris(graph.Float32)
	if err != nil {
		log.Fatal(err)
	}
	batches, err := data.NewBatches(iris, 64, 1)
	if err != nil {
		log.Fatal(err)
	}
	batches.DropRest = true
	ahead, err := data.NewPrefetch(context.Background(), batches, 2, func(batch *data.Set) error {
		x := batch.X.Float32s()
		for i := range x {
			x[i] *= 10 // millimetres
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	err = ahead.Each(1, func(batch *data.Set) error {
		fmt.Println(batch.X.Shape(), batch.X.Float32s()[0] > 10)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// (64, 4) true
	// (64, 4) true
}
