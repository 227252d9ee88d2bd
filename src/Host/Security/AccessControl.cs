using System.Net;
using AsrPlatform.Abstractions;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Security;

/// <summary>
/// Says who calls, and lets an endpoint be used from its least role on. Without keys the host answers its own machine alone, and there
/// everything is allowed; as soon as there is a key, one is needed.
/// </summary>
/// <remarks>Safe for concurrent calls.</remarks>
internal sealed class AccessControl(
    ApiKeyStore keys,
    OpenConnections open,
    IOptions<SecurityOptions> options,
    SecurityMetrics metrics,
    TimeProvider time,
    ILogger<AccessControl> logger)
{
    private readonly HashSet<string> _hosts = new(options.Value.AllowedHosts, StringComparer.OrdinalIgnoreCase);

    /// <summary>Finds out who calls; refuses nobody yet, so that refused requests count, too.</summary>
    public Task IdentifyAsync(HttpContext context, RequestDelegate next)
    {
        var (caller, refused) = Identify(context);
        if (caller is not null)
        {
            context.User = caller.ToPrincipal();
        }
        else
        {
            context.Features.Set(refused);
        }

        return next(context);
    }

    /// <summary>Lets the request through or answers it with the reason why not.</summary>
    public async Task AuthorizeAsync(HttpContext context, RequestDelegate next)
    {
        var endpoint = context.GetEndpoint();
        var least = endpoint?.Metadata.GetMetadata<LeastRoleAttribute>();
        if (endpoint is null || least is { Role: null })
        {
            await next(context);
            return;
        }

        var caller = Caller.Of(context);
        var needed = least?.Role ?? Role.Admin;
        var refused = caller is null ? context.Features.Get<Refused>() ?? NoKey
            : caller.Role < needed ? new Refused(StatusCodes.Status403Forbidden, "role_too_low", $"this needs the role {needed.NameOf()}; the key's is {caller.Role.NameOf()}")
            : null;
        if (refused is not null)
        {
            metrics.Refused(refused.Code);
            logger.LogInformation("Refused {Method} {Path} from {Address}: {Reason}", context.Request.Method, context.Request.Path, context.Connection.RemoteIpAddress, refused.Code);
            await Refusal.WriteAsync(context, refused.Status, refused.Code, refused.Message);
            return;
        }

        if (caller!.KeyId is { } key)
        {
            using (open.Add(context, key))
            {
                await next(context);
            }

            return;
        }

        await next(context);
    }

    private static Refused NoKey { get; } = new(
        StatusCodes.Status401Unauthorized,
        "missing_api_key",
        "an API key is needed: send it as 'Authorization: Bearer KEY' ('asr keys create' makes one)");

    private (Caller? Caller, Refused? Refused) Identify(HttpContext context)
    {
        try
        {
            if (!keys.AreRequired)
            {
                return IsOfThisMachine(context) is { } refused ? (null, refused) : (new Caller(Caller.OfAddress(context.Connection.RemoteIpAddress), Role.Admin), null);
            }

            if (PresentedKey.Of(context.Request) is not { } presented)
            {
                return (null, NoKey);
            }

            if (keys.Find(presented) is not { } key)
            {
                return (null, Invalid("the API key is not one of this host's"));
            }

            var state = key.StateAt(time.GetUtcNow());
            return state == "active"
                ? (new Caller($"key {key.Id}", key.Role, key.Id, key.Tenant), null)
                : (null, Invalid($"the API key '{key.Name}' is {state}"));
        }
        catch (AsrException error)
        {
            logger.LogError("The API keys cannot be read, and nobody is let in: {Reason}", error.Message);
            return (null, new Refused(StatusCodes.Status503ServiceUnavailable, "keys_unreadable", "the host cannot read its API keys: its log says why"));
        }

        static Refused Invalid(string message) => new(StatusCodes.Status401Unauthorized, "invalid_api_key", message);
    }

    /// <summary>
    /// Whether a request without a key comes from this machine and was meant for it; null when so. A proxy would make the whole world look
    /// local, and a page whose name was made to resolve to 127.0.0.1 would look like the host's own.
    /// </summary>
    private Refused? IsOfThisMachine(HttpContext context)
    {
        if (context.Connection.LocalIpAddress is { } address && !IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address))
        {
            return new Refused(StatusCodes.Status403Forbidden, "loopback_only", "this host has no API keys and answers its own machine alone: 'asr keys create' makes one");
        }

        if (context.Request.Headers.ContainsKey("X-Forwarded-For") || context.Request.Headers.ContainsKey("Forwarded"))
        {
            return new Refused(StatusCodes.Status403Forbidden, "proxied", "this host has no API keys and does not answer through a proxy: 'asr keys create' makes one");
        }

        var host = context.Request.Host.Host;
        return host.Length == 0 || IsLoopbackName(host) || _hosts.Contains(host)
            ? null
            : new Refused(StatusCodes.Status403Forbidden, "unknown_host", $"this host has no API keys and does not answer by the name '{host}': make a key, or put the name into Security:AllowedHosts");
    }

    private static bool IsLoopbackName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));

    /// <summary>Why a caller is not known, or not let in.</summary>
    private sealed record Refused(int Status, string Code, string Message);
}
