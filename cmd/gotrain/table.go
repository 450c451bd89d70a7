package main

import (
	"gotrain/train/config"
	"gotrain/train/recipe"
	"gotrain/train/recipe/all"
)

// table is what the commands train and load.
func table() recipe.Table { return all.Table() }

// tables is the table as configurations read it.
func tables() config.Tables { return all.Table().Config() }
