namespace AsrPlatform.Host.Security;

/// <summary>The least role of an endpoint or of a hub method. One without it is the administrator's alone, and a test fails.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class LeastRoleAttribute : Attribute
{
    /// <summary>Nobody is asked for a key: what says nothing about captions or the machine.</summary>
    public static readonly LeastRoleAttribute Anyone = new();

    public LeastRoleAttribute(Role role)
    {
        Role = role;
    }

    private LeastRoleAttribute()
    {
    }

    /// <summary>The least role; null: anyone.</summary>
    public Role? Role { get; }
}

/// <summary>Says who may use an endpoint.</summary>
internal static class LeastRoleExtensions
{
    /// <summary>The endpoint asks for this role or a higher one.</summary>
    public static TBuilder RequireRole<TBuilder>(this TBuilder builder, Role role)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new LeastRoleAttribute(role));

    /// <summary>The endpoint asks for no key, and its requests are not counted.</summary>
    public static TBuilder AllowAnyone<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(LeastRoleAttribute.Anyone).DisableRateLimiting();
}
