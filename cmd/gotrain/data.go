package main

import "github.com/spf13/cobra"

func newData() *cobra.Command {
	return group(&cobra.Command{
		Use:     "data",
		Short:   "Prepare token shards, look at what the model will read, clean the cache",
		Example: "  gotrain data prepare --config configs/opticks.yaml",
	}, newDataPrepare(), newDataInspect(), newDataClean(), newDataGodoc(), newDataCipher(), newDataPreferences(), newDataSums(), newDataSynth())
}
