package main

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// finding is a line of gotrain doctor.
type finding struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Cure   string `json:"cure,omitempty"`
}

// card is what nvidia-smi tells of the first GPU while nothing of ours runs.
type card struct {
	Name      string `json:"name"`
	Driver    string `json:"driver"`
	UsedBytes int64  `json:"used_bytes"` // by others
}

func (c *checker) doctor(ctx context.Context) (string, error) {
	c.report.Card = nvidiaSMI(ctx)
	findings, err := c.findings(ctx)
	if err != nil {
		return "", err
	}
	c.report.Doctor = findings
	i := slices.IndexFunc(findings, func(f finding) bool { return f.Name == "gpu" })
	if i < 0 {
		return "", errors.New("gotrain doctor says nothing of a GPU")
	}
	gpu, _, _ := strings.Cut(findings[i].Detail, ",")
	if !findings[i].OK {
		return gpu, errors.New(gpu)
	}
	return gpu, nil
}

// findings asks gotrain.
func (c *checker) findings(ctx context.Context) ([]finding, error) {
	var r struct{ Findings []finding }
	err := c.gotrain(ctx, time.Minute, "doctor", "--json", "--run", c.work).json(&r)
	return r.Findings, err
}

// nvidiaSMI asks the driver's tool; what it does not tell stays empty.
func nvidiaSMI(ctx context.Context) card {
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=name,driver_version,memory.used", "--format=csv,noheader,nounits").Output()
	if err != nil {
		return card{}
	}
	return parseSMI(firstLine(string(out)))
}

func parseSMI(line string) card {
	fields := strings.Split(line, ", ")
	if len(fields) != 3 {
		return card{}
	}
	mib, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return card{}
	}
	return card{fields[0], fields[1], mib << 20}
}
