using System.Net;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Security;

/// <summary>Keeps a host without keys on loopback.</summary>
internal static class Exposure
{
    /// <summary>Refuses addresses that other machines reach while there is no key that opens anything.</summary>
    /// <param name="addresses">Addresses as Kestrel takes them.</param>
    /// <param name="keys">The keys.</param>
    /// <exception cref="AsrException">There is such an address and no key, or an address is none.</exception>
    public static void Require(IEnumerable<string> addresses, ApiKeyStore keys)
    {
        if (addresses.FirstOrDefault(address => !IsLoopback(address)) is { } open && !keys.AnyUsable)
        {
            throw new AsrException($"{open} can be reached from other machines, and there is no API key: make one with 'asr keys create --role admin' (and the same --data-dir), or listen on http://127.0.0.1:5080");
        }
    }

    /// <summary>Addresses that other machines reach without encryption.</summary>
    public static IEnumerable<string> Plain(IEnumerable<string> addresses) =>
        addresses.Where(address => address.StartsWith("http:", StringComparison.OrdinalIgnoreCase) && !IsLoopback(address));

    /// <summary>Whether an address is this machine's alone. Any name but <c>localhost</c> makes Kestrel listen on every address.</summary>
    public static bool IsLoopback(string address)
    {
        BindingAddress binding;
        try
        {
            binding = BindingAddress.Parse(address);
        }
        catch (Exception error) when (error is FormatException or ArgumentException)
        {
            throw new AsrException($"'{address}' is no address to listen on: give one such as http://127.0.0.1:5080", error);
        }

        return binding.IsUnixPipe
            || binding.IsNamedPipe
            || binding.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(binding.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
    }

    /// <summary>The addresses of a configuration: <c>urls</c>, and endpoints of Kestrel's own section.</summary>
    public static IReadOnlyList<string> Configured(IConfiguration configuration) =>
    [
        .. (configuration["urls"] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
        .. configuration.GetSection("Kestrel:Endpoints").GetChildren().Select(endpoint => endpoint["Url"]).OfType<string>(),
    ];
}
