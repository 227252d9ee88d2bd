namespace AsrPlatform.Host.Security;

/// <summary>What a caller may do. Each role includes those before it.</summary>
internal enum Role
{
    /// <summary>Watches, lists and exports captions.</summary>
    Viewer,

    /// <summary>Starts, feeds and ends sessions, and has files transcribed.</summary>
    Speaker,

    /// <summary>Corrects captions.</summary>
    Corrector,

    /// <summary>Everything: adapters, training, deletion.</summary>
    Admin,
}

/// <summary>Names of roles as people and files write them.</summary>
internal static class RoleNames
{
    /// <summary>All of them, the least first.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Enum.GetValues<Role>().Select(NameOf)];

    /// <summary>The name of a role.</summary>
    public static string NameOf(this Role role) => role switch
    {
        Role.Viewer => "viewer",
        Role.Speaker => "speaker",
        Role.Corrector => "corrector",
        Role.Admin => "admin",
        _ => throw new ArgumentOutOfRangeException(nameof(role)),
    };

    /// <summary>The role of a name.</summary>
    public static bool TryParse(string? name, out Role role)
    {
        foreach (var known in Enum.GetValues<Role>())
        {
            if (known.NameOf() == name)
            {
                role = known;
                return true;
            }
        }

        role = default;
        return false;
    }
}
