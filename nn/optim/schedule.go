package optim

import (
	"math"
	"sort"
)

// Schedule is the learning rate at each step, from 0 on. Whoever runs the steps sets the rate's variable:
//
//	rate := optim.WarmUp(100, optim.Cosine(1e-3, 10_000, 0))
//	for step := range 10_000 {
//		err := state.Set("adam.lr", rate(step))
//		err = machine.Run(ctx)
//	}
//
// The step may as well be the epoch, as in PyTorch's loops. A schedule is a plain function: any other will do. Nothing is compiled anew.
type Schedule func(step int) float64

// Constant is always rate.
func Constant(rate float64) Schedule { return func(int) float64 { return rate } }

// StepDecay multiplies the rate by gamma after every size steps.
func StepDecay(rate float64, size int, gamma float64) Schedule {
	return func(step int) float64 { return rate * math.Pow(gamma, float64(step/max(size, 1))) }
}

// MultiStep multiplies the rate by gamma at each of the milestones.
func MultiStep(rate float64, gamma float64, milestones ...int) Schedule {
	at := append([]int(nil), milestones...)
	sort.Ints(at)
	return func(step int) float64 { return rate * math.Pow(gamma, float64(sort.SearchInts(at, step+1))) }
}

// Exponential multiplies the rate by gamma at every step.
func Exponential(rate, gamma float64) Schedule {
	return func(step int) float64 { return rate * math.Pow(gamma, float64(step)) }
}

// Polynomial falls from rate to end within steps, as (1 − step/steps)^power, and stays there.
func Polynomial(rate, end float64, steps int, power float64) Schedule {
	return func(step int) float64 {
		return end + (rate-end)*math.Pow(1-progress(step, steps), power)
	}
}

// Linear is Polynomial of power 1.
func Linear(rate, end float64, steps int) Schedule { return Polynomial(rate, end, steps, 1) }

// Cosine falls from rate to end within steps along half a cosine (Loshchilov and Hutter 2017), and stays there.
func Cosine(rate float64, steps int, end float64) Schedule {
	return func(step int) float64 { return wave(rate, end, progress(step, steps)) }
}

// CosineRestarts begins the cosine anew after steps, then after factor times as many, and so on. factor is 1 or more.
func CosineRestarts(rate float64, steps int, factor float64, end float64) Schedule {
	return func(step int) float64 {
		period, at := float64(max(steps, 1)), float64(step)
		for at >= period {
			at -= period
			period *= max(factor, 1)
		}
		return wave(rate, end, at/period)
	}
}

// WarmUp rises in equal parts to what then gives, within steps; then begins with its step 0 after that.
func WarmUp(steps int, then Schedule) Schedule {
	return func(step int) float64 {
		if step < steps {
			return then(0) * float64(step+1) / float64(steps+1)
		}
		return then(step - steps)
	}
}

// OneCycle rises from peak/25 to peak within the first 30 % of the steps, and falls to a ten-thousandth of its beginning in the rest, both along half a cosine
// (Smith and Topin 2018, with PyTorch's defaults).
func OneCycle(peak float64, steps int) Schedule {
	first, last := peak/25, peak/25/1e4
	return func(step int) float64 {
		top, end := 0.3*float64(steps)-1, float64(steps)-1
		switch at := math.Min(float64(step), end); {
		case at <= top && top > 0:
			return wave(first, peak, at/top)
		default:
			return wave(peak, last, (at-top)/(end-top))
		}
	}
}

// Then follows a schedule, after steps of it, with another one, which begins with its step 0.
func (s Schedule) Then(steps int, next Schedule) Schedule {
	return func(step int) float64 {
		if step < steps {
			return s(step)
		}
		return next(step - steps)
	}
}

// Times multiplies a schedule by another one: a warm-up factor, a decay over all.
func (s Schedule) Times(other Schedule) Schedule {
	return func(step int) float64 { return s(step) * other(step) }
}

// progress is the share of the steps that have passed, from 0 to 1.
func progress(step, steps int) float64 {
	return math.Min(float64(step)/float64(max(steps, 1)), 1)
}

// wave goes from a to b along half a cosine while x goes from 0 to 1.
func wave(a, b, x float64) float64 { return b + (a-b)*(1+math.Cos(math.Pi*x))/2 }

// Plateau lowers the rate when a measure, such as the validation loss, has not fallen for a while. Its fields may be set before
// the first Observe; it belongs to one goroutine.
type Plateau struct {
	Rate      float64 // now
	Factor    float64 // by which it falls; 0 means 0.1
	Patience  int     // how many observations without improvement are borne; 0 means 10, −1 none
	Threshold float64 // the share by which a measure must be below the best to count; 0 means 1e-4
	Cooldown  int     // observations after a fall that do not count
	Least     float64 // the rate never falls below
	Rising    bool    // the measure is one that should rise, such as an accuracy

	best     float64
	began    bool
	bad, ban int
}

// Observe takes the next measure and returns the rate for what follows. NaN never counts as an improvement.
func (p *Plateau) Observe(measure float64) float64 {
	threshold, patience := orDefault(p.Threshold, 1e-4), p.Patience
	switch patience {
	case 0:
		patience = 10
	case -1:
		patience = 0
	}
	better := !p.began || measure < p.best*(1-threshold)
	if p.began && p.Rising {
		better = measure > p.best*(1+threshold)
	}
	if better && measure == measure {
		p.best, p.began, p.bad = measure, true, 0
	} else {
		p.bad++
	}
	if p.ban > 0 {
		p.ban--
		p.bad = 0
	}
	if p.bad > patience {
		p.Rate = math.Max(p.Rate*orDefault(p.Factor, 0.1), p.Least)
		p.ban, p.bad = p.Cooldown, 0
	}
	return p.Rate
}
