"""Codings of elementary files: one class each, with decode, encode and examples.

Spec: ETSI TS 102 221, section 13; 3GPP TS 31.102, section 4; TS 31.103, section 4.
"""

from imslab.uicc.files import isim, network, services, uicc, usim
from imslab.uicc.files.access import AccessRules
from imslab.uicc.files.base import ElementaryFile, Structure

MF_FILES: tuple[type[ElementaryFile], ...] = (
    uicc.Application,
    uicc.Iccid,
    uicc.PreferredLanguages,
    AccessRules,
    uicc.PowerConsumption,
)
ISIM_FILES: tuple[type[ElementaryFile], ...] = (
    isim.Impi,
    isim.Domain,
    isim.Impu,
    isim.IsimAdministrativeData,
    isim.IsimAccessRules,
    isim.IsimServices,
    isim.PCscf,
    isim.GbaBootstrapping,
    isim.GbaNaf,
    isim.NafKeyCentre,
    services.IsimShortMessage,
    services.IsimShortMessageStatus,
    services.IsimStatusReport,
    services.IsimShortMessageParameters,
    isim.UiccIari,
    isim.FromPreferred,
    isim.ImsConfiguration,
    isim.XcapConfiguration,
    isim.WebRtcUri,
    isim.MudMidConfiguration,
    isim.GbaUApi,
    isim.DataChannelIndication,
)
USIM_FILES: tuple[type[ElementaryFile], ...] = (
    usim.LanguageIndication,
    usim.Imsi,
    usim.Keys,
    usim.KeysPs,
    usim.UsimServices,
    usim.EnabledServices,
    usim.ServiceProviderName,
    usim.UsimAdministrativeData,
    usim.AccessControlClasses,
    usim.EmergencyCode,
    usim.Msisdn,
    usim.UsimAccessRules,
    usim.UsimGbaBootstrapping,
    usim.UsimGbaNaf,
    network.HomeSearchPeriod,
    network.EquivalentHomePresentation,
    network.PublicWarning,
    network.EquivalentHomeNetworks,
    network.ForbiddenNetworks,
    network.UserNetworks,
    network.OperatorNetworks,
    network.HomeNetworks,
    network.Location,
    network.PacketLocation,
    network.OperatorNameRule,
    network.StartHfn,
    network.Threshold,
    services.CallMeterMaximum,
    services.ShortMessage,
    services.ShortMessageStatus,
    services.StatusReport,
    services.ShortMessageParameters,
    services.MailboxIdentifier,
    services.MessageWaiting,
    services.CallForwarding,
    services.Precedence,
    services.VoiceGroups,
    services.VoiceGroupStatus,
    services.EpdgId,
    services.EpdgSelection,
    services.EarfcnList,
)
OTHER_FILES: tuple[type[ElementaryFile], ...] = (
    usim.GsmKey,
    usim.GsmLanguagePreference,
    network.GprsLocation,
    services.CsgType,
    services.HomeNodeName,
    services.OperatorCsgList,
)
"""Files of DFs below the USIM, and of a GSM SIM."""

FILES_BY_DIRECTORY: dict[str, dict[int, type[ElementaryFile]]] = {
    "MF": {file.FID: file for file in MF_FILES},
    "ADF.USIM": {file.FID: file for file in USIM_FILES},
    "ADF.ISIM": {file.FID: file for file in ISIM_FILES},
}
ALL_FILES = MF_FILES + ISIM_FILES + USIM_FILES + OTHER_FILES

__all__ = [
    "ALL_FILES",
    "FILES_BY_DIRECTORY",
    "ISIM_FILES",
    "MF_FILES",
    "OTHER_FILES",
    "USIM_FILES",
    "ElementaryFile",
    "Structure",
]
