package main

import (
	"example.com/gotrain/train/config"
	"example.com/gotrain/train/recipe"
	"example.com/gotrain/train/recipe/all"
)

// table is what the commands train and load.
func table() recipe.Table { return all.Table() }

// tables is the table as configurations read it.
func tables() config.Tables { return all.Table().Config() }
