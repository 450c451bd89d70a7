package join

import (
	"fmt"
	"net"
)

// ownAddress is the address from which this machine reaches host, which is where
// the other ranks reach it. A machine that is host itself, under a name that leads
// to its loopback, takes the address of its first other interface.
func ownAddress(host string) (string, error) {
	link, err := net.Dial("udp", net.JoinHostPort(host, "9"))
	if err != nil {
		return "", fmt.Errorf("the machine of rank 0: %w", err)
	}
	defer link.Close()
	own := link.LocalAddr().(*net.UDPAddr).IP
	if !own.IsLoopback() || net.ParseIP(host) != nil || host == "localhost" {
		return own.String(), nil
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.IsGlobalUnicast() {
			return network.IP.String(), nil
		}
	}
	return own.String(), nil
}
