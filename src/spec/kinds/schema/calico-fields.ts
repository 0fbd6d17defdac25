/** Fields of Calico v3's types (github.com/projectcalico/api, package v3), written as in the generated table `fields.json`. */

const OBJECT = 'apiVersion=string kind=string metadata=V1ObjectMeta';

/** Fields of FelixConfiguration by their shape: there are nearly two hundred. Durations are texts. */
const FELIX: Readonly<Record<string, string>> = {
  string:
    'awsSrcDstCheck bpfAttachType bpfConnectTimeLoadBalancing bpfConntrackCleanupMode bpfConntrackLogLevel ' +
    'bpfDataIfacePattern bpfDisableGROForIfaces bpfEnforceRPF bpfExternalServiceMode bpfHostNetworkedNATWithoutCTLB ' +
    'bpfJITHardening bpfL3IfacePattern bpfLogLevel bpfProfiling bpfRedirectToPeer cgroupV2Path chainInsertMode ' +
    'dataplaneDriver debugHost debugMemoryProfilePath defaultEndpointToHostAction deviceRouteSourceAddress ' +
    'deviceRouteSourceAddressIPv6 endpointStatusPathPrefix featureDetectOverride featureGates floatingIPs ' +
    'flowLogsGoldmaneServer flowLogsLocalReporter flowLogsPolicyEvaluationMode healthHost interfaceExclude ' +
    'interfacePrefix ipForwarding iptablesBackend iptablesFilterAllowAction iptablesFilterDenyAction ' +
    'iptablesLockFilePath iptablesMangleAllowAction iptablesNATOutgoingInterfaceFilter istioAmbientMode ' +
    'logActionRateLimit logDebugFilenameRegex logFilePath logPrefix logSeverityFile logSeverityScreen ' +
    'logSeveritySys metadataAddr mtuIfacePattern natOutgoingAddress natOutgoingExclusions nftablesFilterAllowAction ' +
    'nftablesFilterDenyAction nftablesMangleAllowAction nftablesMode openstackRegion policySyncPathPrefix ' +
    'programClusterRoutes prometheusMetricsCAFile prometheusMetricsCertFile prometheusMetricsClientAuth ' +
    'prometheusMetricsHost prometheusMetricsKeyFile routeSource serviceLoopPrevention windowsManageFirewallRules ' +
    'wireguardInterfaceName wireguardInterfaceNameV6 workloadSourceSpoofing ' +
    'bpfKubeProxyMinSyncPeriod dataplaneWatchdogTimeout debugSimulateCalcGraphHangAfter ' +
    'debugSimulateDataplaneApplyDelay debugSimulateDataplaneHangAfter endpointReportingDelay flowLogsFlushInterval ' +
    'interfaceRefreshInterval ipsetsRefreshInterval iptablesLockProbeInterval iptablesLockTimeout ' +
    'iptablesPostWriteCheckInterval iptablesRefreshInterval netlinkTimeout nftablesRefreshInterval ' +
    'reportingInterval reportingTTL routeRefreshInterval usageReportingInitialDelay usageReportingInterval ' +
    'wireguardKeepAlive xdpRefreshInterval',
  boolean:
    'allowIPIPPacketsFromWorkloads allowVXLANPacketsFromWorkloads bpfConnectTimeLoadBalancingEnabled ' +
    'bpfDisableUnprivileged bpfEnabled bpfHostConntrackBypass bpfKubeProxyEndpointSlicesEnabled ' +
    'bpfKubeProxyIptablesCleanupEnabled bpfPolicyDebugEnabled debugDisableLogDropping disableConntrackInvalidCheck ' +
    'endpointReportingEnabled flowLogsCollectorDebugTrace genericXDPEnabled healthEnabled ipipEnabled ipv6Support ' +
    'prometheusGoMetricsEnabled prometheusMetricsEnabled prometheusProcessMetricsEnabled ' +
    'prometheusWireGuardMetricsEnabled removeExternalRoutes requireMTUFile routeSyncDisabled ' +
    'sidecarAccelerationEnabled usageReportingEnabled useInternalDataplaneDriver vxlanEnabled wireguardEnabled ' +
    'wireguardEnabledV6 wireguardHostEncryptionEnabled wireguardThreadingEnabled xdpEnabled',
  int64:
    'bpfExportBufferSizeMB bpfExtToServiceConnmark bpfKubeProxyHealthzPort bpfMapSizeConntrack ' +
    'bpfMapSizeConntrackCleanupQueue bpfMapSizeIPSets bpfMapSizeIfState bpfMapSizeNATAffinity bpfMapSizeNATBackend ' +
    'bpfMapSizeNATFrontend bpfMapSizePerCpuConntrack bpfMapSizeRoute debugPort deviceRouteProtocol goGCThreshold ' +
    'goMaxProcs goMemoryLimitMB healthPort ipipMTU iptablesMarkMask logActionRateLimitBurst maxIpsetSize ' +
    'metadataPort nftablesMarkMask prometheusMetricsPort vxlanMTU vxlanMTUV6 vxlanPort vxlanVNI ' +
    'wireguardListeningPort wireguardListeningPortV6 wireguardMTU wireguardMTUV6 wireguardRoutingRulePriority',
  '[]string': 'bpfDSROptoutCIDRs bpfExcludeCIDRsFromNAT externalNodesList',
  '[]FelixHealthTimeout': 'healthTimeoutOverrides',
  '[]FelixProtoPort': 'failsafeInboundHostPorts failsafeOutboundHostPorts',
  '[]int-or-string': 'kubeNodePortRanges',
  '[]FelixRouteTableRange': 'routeTableRanges',
  FelixRouteTableRange: 'routeTableRange',
  'int-or-string': 'bpfPSNATPorts natPortRange',
  '{}string': 'bpfConntrackTimeouts bpfLogFilters',
};

const felixSpec = Object.entries(FELIX)
  .flatMap(([shape, names]) => names.split(' ').map((name) => `${name}=${shape}`))
  .join(' ');

const POLICY_SPEC =
  'tier=string order=number selector=string namespaceSelector=string serviceAccountSelector=string types=[]string ' +
  'ingress=[]CalicoRule egress=[]CalicoRule performanceHints=[]string';

const FILTER_RULES = 'exportV4 importV4 exportV6 importV6'.replace(/\w+/g, '$&=[]BGPFilterRule');

/** The spec of CONFIGURATIONS that stands in a status too. */
const CONTROLLERS =
  'logSeverityScreen=string healthChecks=string etcdV3CompactionPeriod=string prometheusMetricsPort=int32 ' +
  'debugProfilePort=int32 controllers=KubeControllers';

export const CALICO_FIELDS = {
  IPPool: `${OBJECT} spec=IPPoolSpec`,
  IPPoolSpec:
    'cidr!=string vxlanMode=string ipipMode=string natOutgoing=boolean disabled=boolean disableBGPExport=boolean ' +
    'blockSize=int32 nodeSelector=string namespaceSelector=string allowedUses=[]string assignmentMode=string ' +
    'ipip=IPPoolIPIP nat-outgoing=boolean',
  IPPoolIPIP: 'enabled=boolean mode=string',
  IPReservation: `${OBJECT} spec=IPReservationSpec`,
  IPReservationSpec: 'reservedCIDRs=[]string',
  IPAMConfiguration: `${OBJECT} spec=IPAMConfigurationSpec`,
  IPAMConfigurationSpec: 'strictAffinity!=boolean autoAllocateBlocks!=boolean maxBlocksPerHost=int32',
  IPAMBlock: `${OBJECT} spec=IPAMBlockSpec`,
  IPAMBlockSpec:
    'cidr!=string affinity=string affinityClaimTime=date allocations!=[]int32-or-null unallocated!=[]int32 ' +
    'attributes!=[]IPAMAllocation sequenceNumber=int64 sequenceNumberForAllocation={}int64 deleted=boolean ' +
    'strictAffinity=boolean',
  IPAMAllocation: 'handle_id=string secondary={}string alternate={}string',
  BlockAffinity: `${OBJECT} spec=BlockAffinitySpec`,
  BlockAffinitySpec: 'state!=string node!=string cidr!=string deleted=string type=string',
  IPAMHandle: `${OBJECT} spec=IPAMHandleSpec`,
  IPAMHandleSpec: 'handleID!=string block!={}int32 deleted=boolean',
  BGPConfiguration: `${OBJECT} spec=BGPConfigurationSpec`,
  BGPConfigurationSpec:
    'logSeverityScreen=string nodeToNodeMeshEnabled=boolean asNumber=uint32-or-string serviceLoadBalancerIPs=[]BGPBlock ' +
    'serviceExternalIPs=[]BGPBlock serviceClusterIPs=[]BGPBlock communities=[]BGPCommunity ' +
    'prefixAdvertisements=[]BGPPrefixAdvertisement listenPort=int32 nodeMeshPassword=BGPPassword ' +
    'nodeMeshMaxRestartTime=string bindMode=string ignoredInterfaces=[]string localWorkloadPeeringIPV4=string ' +
    'localWorkloadPeeringIPV6=string serviceLoadBalancerAggregation=string programClusterRoutes=string',
  BGPBlock: 'cidr=string',
  BGPCommunity: 'name=string value=string',
  BGPPrefixAdvertisement: 'cidr=string communities=[]string',
  BGPPassword: 'secretKeyRef=V1SecretKeySelector',
  BGPPeer: `${OBJECT} spec=BGPPeerSpec`,
  BGPPeerSpec:
    'node=string nodeSelector=string peerIP=string asNumber=uint32-or-string peerSelector=string ' +
    'keepOriginalNextHop=boolean password=BGPPassword sourceAddress=string failureDetectionMode=string ' +
    'restartMode=string maxRestartTime=string numAllowedLocalASNumbers=int32 ttlSecurity=int32 reachableBy=string ' +
    'filters=[]string localWorkloadSelector=string reversePeering=string nextHopMode=string localASNumber=uint32-or-string',
  BGPFilter: `${OBJECT} spec=BGPFilterSpec`,
  BGPFilterSpec: FILTER_RULES,
  BGPFilterRule:
    'cidr=string prefixLength=BGPFilterPrefixLength source=string interface=string matchOperator=string action!=string ' +
    'peerType=string communities=BGPFilterCommunities asPathPrefix=[]uint32-or-string priority=int32 ' +
    'operations=[]BGPFilterOperation',
  BGPFilterPrefixLength: 'min=int32 max=int32',
  BGPFilterCommunities: 'values=[]string',
  BGPFilterOperation: 'addCommunity=any prependASPath=any setPriority=any',
  FelixConfiguration: `${OBJECT} spec=FelixConfigurationSpec`,
  FelixConfigurationSpec: felixSpec,
  FelixHealthTimeout: 'name=string timeout=string',
  FelixProtoPort: 'protocol=string port=int32 net=string',
  FelixRouteTableRange: 'min=int32 max=int32',
  ClusterInformation: `${OBJECT} spec=ClusterInformationSpec`,
  ClusterInformationSpec:
    'clusterGUID=string clusterType=string calicoVersion=string datastoreReady=boolean variant=string',
  CalicoNodeStatus: `${OBJECT} spec=CalicoNodeStatusSpec status=CalicoNodeStatusStatus`,
  CalicoNodeStatusSpec: 'node=string classes=[]string updatePeriodSeconds=int64',
  CalicoNodeStatusStatus: 'lastUpdated=date agent=CalicoNodeAgent bgp=CalicoNodeBGP routes=CalicoNodeRoutes',
  CalicoNodeAgent: 'birdV4=CalicoBirdStatus birdV6=CalicoBirdStatus',
  CalicoBirdStatus: 'state=string version=string routerID=string lastBootTime=string lastReconfigurationTime=string',
  CalicoNodeBGP:
    'numberEstablishedV4=int32 numberNotEstablishedV4=int32 numberEstablishedV6=int32 numberNotEstablishedV6=int32 ' +
    'peersV4=[]CalicoNodePeer peersV6=[]CalicoNodePeer',
  CalicoNodePeer: 'peerIP=string type=string state=string since=string',
  CalicoNodeRoutes: 'routesV4=[]CalicoNodeRoute routesV6=[]CalicoNodeRoute',
  CalicoNodeRoute: 'type=string destination=string gateway=string interface=string learnedFrom=CalicoNodeRouteSource',
  CalicoNodeRouteSource: 'sourceType=string peerIP=string',
  KubeControllersConfiguration: `${OBJECT} spec=KubeControllersSpec status=KubeControllersStatus`,
  KubeControllersSpec: CONTROLLERS,
  KubeControllersStatus: 'runningConfig=KubeControllersSpec environmentVars={}string',
  KubeControllers:
    'node=KubeNodeController policy=KubeReconciler workloadEndpoint=KubeReconciler serviceAccount=KubeReconciler ' +
    'namespace=KubeReconciler loadBalancer=KubeLoadBalancerController policyMigration=KubePolicyMigration',
  KubeReconciler: 'reconcilerPeriod=string',
  KubeLoadBalancerController: 'assignIPs=string',
  KubePolicyMigration: 'enabled=string',
  KubeNodeController: 'reconcilerPeriod=string syncLabels=string hostEndpoint=KubeHostEndpoints leakGracePeriod=string',
  KubeHostEndpoints: 'autoCreate=string createDefaultHostEndpoint=string templates=[]KubeHostEndpointTemplate',
  KubeHostEndpointTemplate:
    'generateName=string interfaceCIDRs=[]string interfacePattern=string labels={}string nodeSelector=string',
  CalicoNetworkPolicy: `${OBJECT} spec=CalicoNetworkPolicySpec`,
  CalicoNetworkPolicySpec: POLICY_SPEC,
  GlobalNetworkPolicy: `${OBJECT} spec=GlobalNetworkPolicySpec`,
  GlobalNetworkPolicySpec: `${POLICY_SPEC} doNotTrack=boolean preDNAT=boolean applyOnForward=boolean`,
  CalicoRule:
    'action!=string ipVersion=int32 protocol=int-or-string icmp=CalicoICMP notProtocol=int-or-string notICMP=CalicoICMP ' +
    'source=CalicoEntityRule destination=CalicoEntityRule http=CalicoHTTPMatch metadata=CalicoRuleMetadata',
  CalicoICMP: 'type=int32 code=int32',
  CalicoEntityRule:
    'nets=[]string selector=string namespaceSelector=string services=CalicoServiceMatch ports=[]int-or-string ' +
    'notNets=[]string notSelector=string notPorts=[]int-or-string serviceAccounts=CalicoServiceAccountMatch',
  CalicoServiceMatch: 'name=string namespace=string',
  CalicoServiceAccountMatch: 'names=[]string selector=string',
  CalicoHTTPMatch: 'methods=[]string paths=[]CalicoHTTPPath',
  CalicoHTTPPath: 'exact=string prefix=string',
  CalicoRuleMetadata: 'annotations={}string',
  NetworkSet: `${OBJECT} spec=NetworkSetSpec`,
  NetworkSetSpec: 'nets=[]string',
  GlobalNetworkSet: `${OBJECT} spec=NetworkSetSpec`,
  HostEndpoint: `${OBJECT} spec=HostEndpointSpec`,
  HostEndpointSpec:
    'node=string interfaceName=string expectedIPs=[]string profiles=[]string ports=[]CalicoEndpointPort',
  CalicoEndpointPort: 'name=string protocol=int-or-string port=int32',
  Tier: `${OBJECT} spec=TierSpec`,
  TierSpec: 'order=number defaultAction=string',
  CalicoProfile: `${OBJECT} spec=CalicoProfileSpec`,
  CalicoProfileSpec: 'ingress=[]CalicoRule egress=[]CalicoRule labelsToApply={}string',
} as const satisfies Record<string, string>;
