package main

import "github.com/tapir-ml/tapir/nn/data"

// sets are the images, as the network takes them.
type sets struct{ train, validation, test *data.Set }

// load splits the images and scales their pixels to 0…1 by the range that the training images have.
func load(o options) (*sets, error) {
	digits, err := data.Digits(o.float())
	if err != nil {
		return nil, err
	}
	parts, err := digits.Split(o.seed, 0.7, 0.15, 0.15)
	if err != nil {
		return nil, err
	}
	scale, err := data.FitMinMaxJoint(parts[0].X)
	if err != nil {
		return nil, err
	}
	if err := scale.ApplyTo(parts...); err != nil {
		return nil, err
	}
	return &sets{train: parts[0], validation: parts[1], test: parts[2]}, nil
}
