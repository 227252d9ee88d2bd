using System.Net;
using System.Net.Sockets;
using System.Security.Claims;
using Microsoft.AspNetCore.SignalR;

namespace AsrPlatform.Host.Security;

/// <summary>Who asks.</summary>
/// <param name="Id">What limits are counted by: the key, else the address.</param>
/// <param name="Role">What it may do.</param>
/// <param name="KeyId">The key that it showed; null where none is needed.</param>
/// <param name="Tenant">The tenant that its sessions are of; null: each session says itself.</param>
internal sealed record Caller(string Id, Role Role, string? KeyId = null, string? Tenant = null)
{
    private const string Scheme = "ApiKey";
    private const string KeyClaim = "asr:key";
    private const string RoleClaim = "asr:role";
    private const string TenantClaim = "asr:tenant";

    /// <summary>Code of this process.</summary>
    public static Caller Process { get; } = new("process", Role.Admin);

    /// <summary>Who makes a request; null when that is not known: a key is missing or not good.</summary>
    public static Caller? Of(HttpContext context) => From(context.User);

    /// <summary>Who calls a hub.</summary>
    public static Caller? Of(HubCallerContext context) => context.GetHttpContext() is null ? Process : From(context.User);

    /// <summary>Whoever is at an address. A network's IPv6 host has any number of addresses: its first 64 bits count.</summary>
    public static string OfAddress(IPAddress? address)
    {
        if (address is null)
        {
            return "local";
        }

        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        if (address.AddressFamily != AddressFamily.InterNetworkV6 || IPAddress.IsLoopback(address))
        {
            return address.ToString();
        }

        var bytes = address.GetAddressBytes();
        bytes.AsSpan(8).Clear();
        return $"{new IPAddress(bytes)}/64";
    }

    /// <summary>The caller as ASP.NET carries one along: a hub's connection keeps it.</summary>
    public ClaimsPrincipal ToPrincipal()
    {
        var identity = new ClaimsIdentity(Scheme);
        identity.AddClaim(new Claim(ClaimTypes.NameIdentifier, Id));
        identity.AddClaim(new Claim(RoleClaim, Role.NameOf()));
        if (KeyId is not null)
        {
            identity.AddClaim(new Claim(KeyClaim, KeyId));
        }

        if (Tenant is not null)
        {
            identity.AddClaim(new Claim(TenantClaim, Tenant));
        }

        return new ClaimsPrincipal(identity);
    }

    private static Caller? From(ClaimsPrincipal? principal) =>
        principal?.Identity is ClaimsIdentity { AuthenticationType: Scheme } identity && RoleNames.TryParse(identity.FindFirst(RoleClaim)?.Value, out var role)
            ? new Caller(identity.FindFirst(ClaimTypes.NameIdentifier)!.Value, role, identity.FindFirst(KeyClaim)?.Value, identity.FindFirst(TenantClaim)?.Value)
            : null;
}
