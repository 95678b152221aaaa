//! What is known of drivers, by the names ethtool has for them: read in the sources of Linux 6.1.192, drivers/net. Newer
//! kernels know more drivers and may do better; since 6.3 they say themselves what a driver does with XDP.

/// A driver that runs XDP itself: it takes `XDP_SETUP_PROG`.
pub(super) struct Driver {
    pub(super) name: &'static str,
    /// Whether it takes programs whatever the MTU, if they can do with frames of several buffers (`xdp_has_frags`).
    pub(super) several_buffers: bool,
    /// When taking a program interrupts the link, or empties its rings.
    pub(super) pause: Pause,
    /// The function that takes a program.
    pub(super) setup: &'static str,
}

/// When a driver stops for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// Never.
    Never,
    /// When the first program comes, and the last goes.
    FirstAndLast,
    /// Also when one takes another's place.
    Always,
}

/// What is known of a driver that runs XDP itself.
pub(super) fn known(name: &str) -> Option<&'static Driver> {
    DRIVERS.iter().find(|driver| driver.name == name)
}

use Pause::{Always, FirstAndLast, Never};

pub(super) static DRIVERS: [Driver; 38] = [
    driver("atlantic", FirstAndLast, "aq_xdp_setup").with_several_buffers(),
    driver("bnxt_en", Always, "bnxt_xdp_set").with_several_buffers(),
    // It hands the program to its members: what these can and how they pause is theirs.
    driver("bonding", Never, "bond_xdp_set").with_several_buffers(),
    driver("cpsw", Never, "cpsw_xdp_prog_setup"),
    driver("cpsw-switch", Never, "cpsw_xdp_prog_setup"),
    driver("ena", FirstAndLast, "ena_xdp_set"),
    driver("fsl_dpa", Always, "dpaa_setup_xdp"),
    driver("fsl_dpaa2_eth", Always, "dpaa2_eth_setup_xdp"),
    driver("fsl_enetc", Always, "enetc_setup_xdp_prog"),
    driver("fsl_enetc_vf", Always, "enetc_setup_xdp_prog"),
    driver("funeth", Never, "fun_xdp_setup"),
    driver("hv_netvsc", Never, "netvsc_xdp_set"),
    driver("i40e", FirstAndLast, "i40e_xdp_setup"),
    driver("ice", FirstAndLast, "ice_xdp_setup_prog"),
    driver("igb", FirstAndLast, "igb_xdp_setup"),
    driver("igc", Always, "igc_xdp_set_prog"),
    driver("ixgbe", FirstAndLast, "ixgbe_xdp_setup"),
    driver("ixgbevf", FirstAndLast, "ixgbevf_xdp_setup"),
    driver("mana", Never, "mana_xdp_set"),
    driver("mlx4_en", FirstAndLast, "mlx4_xdp_set"),
    driver("mlx5_core", FirstAndLast, "mlx5e_xdp_set").with_several_buffers(),
    driver("mtk_soc_eth", FirstAndLast, "mtk_xdp_setup"),
    driver("mvneta", FirstAndLast, "mvneta_xdp_setup").with_several_buffers(),
    driver("mvpp2", FirstAndLast, "mvpp2_xdp_setup"),
    driver("netsec", Always, "netsec_xdp_setup"),
    driver("nfp", FirstAndLast, "nfp_net_xdp_setup_drv"),
    driver("nicvf", Always, "nicvf_xdp_setup"),
    driver("qede", Always, "qede_xdp_set"),
    driver("rvu-nicpf", Always, "otx2_xdp_setup"),
    driver("sfc", Never, "efx_xdp_setup_prog"),
    driver("sfc_siena", Never, "efx_xdp_setup_prog"),
    driver("st_gmac", FirstAndLast, "stmmac_xdp_set_prog"),
    driver("st_mac100", FirstAndLast, "stmmac_xdp_set_prog"),
    driver("st_xgmac", FirstAndLast, "stmmac_xdp_set_prog"),
    // Longer frames go through the stack's XDP there, under the same program.
    driver("tun", Never, "tun_xdp_set").with_several_buffers(),
    driver("veth", Never, "veth_xdp_set").with_several_buffers(),
    // xen-netfront, by the name xenbus gives it.
    driver(XEN, FirstAndLast, "xennet_xdp_set"),
    // Its queues stop for an instant, and the link stays.
    driver("virtio_net", Never, "virtnet_xdp_set"),
];

/// The driver that takes a program and does not run it where the other end lacks `feature-xdp-headroom`.
pub(super) const XEN: &str = "vif";

const fn driver(name: &'static str, pause: Pause, setup: &'static str) -> Driver {
    Driver { name, several_buffers: false, pause, setup }
}

impl Driver {
    const fn with_several_buffers(mut self) -> Self {
        self.several_buffers = true;
        self
    }
}
