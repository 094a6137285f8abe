"""Fields of companies, people, events, and of the org itself.

One line a field: name, type (size), flags, what it refers to (``>Object:Relation``), and the
compound field it is a part of (``@Name``). Flags: n may be null, c can be set, u can be changed,
N name field, d set by default, p subject to field permissions, x not filterable, k calculated.
``%audit`` stands for who and when. Account, Event and Contact are those of a fresh org.
"""

PEOPLE = {
    "Account": """
Id id d
IsDeleted boolean d
MasterRecordId reference n >Account:MasterRecord
Name string(255) cuN @Name
Type picklist(40) ncup
ParentId reference ncup >Account:Parent
BillingStreet textarea(255) ncup @BillingAddress
BillingCity string(40) ncup @BillingAddress
BillingState string(80) ncup @BillingAddress
BillingPostalCode string(20) ncup @BillingAddress
BillingCountry string(80) ncup @BillingAddress
BillingLatitude double(18,15) ncup @BillingAddress
BillingLongitude double(18,15) ncup @BillingAddress
BillingGeocodeAccuracy picklist(40) ncup @BillingAddress
BillingAddress address np
ShippingStreet textarea(255) ncup @ShippingAddress
ShippingCity string(40) ncup @ShippingAddress
ShippingState string(80) ncup @ShippingAddress
ShippingPostalCode string(20) ncup @ShippingAddress
ShippingCountry string(80) ncup @ShippingAddress
ShippingLatitude double(18,15) ncup @ShippingAddress
ShippingLongitude double(18,15) ncup @ShippingAddress
ShippingGeocodeAccuracy picklist(40) ncup @ShippingAddress
ShippingAddress address np
Phone phone(40) ncup
Fax phone(40) ncup
AccountNumber string(40) ncup
Website url(255) ncup
PhotoUrl url(255) n
Sic string(20) ncup
Industry picklist(40) ncup
AnnualRevenue currency(18,0) ncup
NumberOfEmployees int(8) ncup
Ownership picklist(40) ncup
TickerSymbol string(20) ncup
Description textarea(32000) ncupx
Rating picklist(40) ncup
Site string(80) ncup
OwnerId reference cud >User:Owner
%audit
LastActivityDate date n
LastViewedDate datetime n
LastReferencedDate datetime n
IsPartner boolean ud
IsCustomerPortal boolean ud
ChannelProgramName string(255) nx
ChannelProgramLevelName string(255) nx
Jigsaw string(20) ncup
JigsawCompanyId string(20) n
CleanStatus picklist(40) ncup
AccountSource picklist(40) ncup
DunsNumber string(9) ncup
Tradestyle string(255) ncup
NaicsCode string(8) ncup
NaicsDesc string(120) ncup
YearStarted string(4) ncup
SicDesc string(80) ncup
DandbCompanyId reference ncup >DandBCompany:DandbCompany
OperatingHoursId reference ncup >OperatingHours:OperatingHours
CurrencyIsoCode picklist(3) ncud
""",
    "Event": """
Id id d
WhoId reference ncup >Contact|Lead:Who
WhatId reference ncup >Account|Campaign|Case|Opportunity|Product2:What
Subject combobox(255) ncuN
Location string(255) ncup
IsAllDayEvent boolean cudp
ActivityDateTime datetime ncu
ActivityDate date ncu
DurationInMinutes int(8) ncu
StartDateTime datetime ncu
EndDateTime datetime ncu
EndDate date n
Description textarea(32000) ncupx
AccountId reference n >Account:Account
OwnerId reference cud >Calendar|User:Owner
IsPrivate boolean cud
ShowAs picklist(40) ncud
IsDeleted boolean d
IsChild boolean d
IsGroupEvent boolean d
GroupEventType picklist(40) nd
%audit
IsArchived boolean d
RecurrenceActivityId reference n >Event
IsRecurrence boolean cd
RecurrenceStartDateTime datetime ncu
RecurrenceEndDateOnly date ncu
RecurrenceTimeZoneSidKey picklist(40) ncu
RecurrenceType picklist(40) ncu
RecurrenceInterval int(9) ncu
RecurrenceDayOfWeekMask int(9) ncu
RecurrenceDayOfMonth int(9) ncu
RecurrenceInstance picklist(40) ncu
RecurrenceMonthOfYear picklist(40) ncu
ReminderDateTime datetime ncu
IsReminderSet boolean cud
EventSubtype picklist(40) nc
IsRecurrence2Exclusion boolean d
Recurrence2PatternText textarea(512) ncx
Recurrence2PatternVersion picklist(40) n
IsRecurrence2 boolean d
IsRecurrence2Exception boolean d
Recurrence2PatternStartDate datetime n
Recurrence2PatternTimeZone string(255) n
Outcome__c picklist(255) ncup
""",
    "Contact": """
Id id d
IsDeleted boolean d
MasterRecordId reference n >Contact:MasterRecord
AccountId reference ncup >Account:Account
LastName string(80) cu @Name
FirstName string(40) ncu @Name
Salutation picklist(40) ncu @Name
Name string(121) N
MailingStreet textarea(255) ncup @MailingAddress
MailingCity string(40) ncup @MailingAddress
MailingState string(80) ncup @MailingAddress
MailingPostalCode string(20) ncup @MailingAddress
MailingCountry string(80) ncup @MailingAddress
MailingLatitude double(18,15) ncup @MailingAddress
MailingLongitude double(18,15) ncup @MailingAddress
MailingGeocodeAccuracy picklist(40) ncup @MailingAddress
MailingAddress address np
Phone phone(40) ncup
Fax phone(40) ncup
MobilePhone phone(40) ncup
HomePhone phone(40) ncup
OtherPhone phone(40) ncup
AssistantPhone phone(40) ncup
ReportsToId reference ncup >Contact:ReportsTo
Email email(80) ncup
Title string(128) ncup
Department string(80) ncup
AssistantName string(40) ncup
LeadSource picklist(255) ncup
Birthdate date ncup
Description textarea(32000) ncupx
OwnerId reference cud >User:Owner
%audit
LastActivityDate date n
LastViewedDate datetime n
LastReferencedDate datetime n
EmailBouncedReason string(255) ncu
EmailBouncedDate datetime ncu
IsEmailBounced boolean d
PhotoUrl url(255) n
Jigsaw string(20) ncup
JigsawContactId string(20) n
CleanStatus picklist(40) ncup
IndividualId reference ncu >Individual:Individual
""",
    "User": """
Id id d
Username string(80) cu
LastName string(80) cu @Name
FirstName string(40) ncu @Name
Name string(121) N
CompanyName string(80) ncup
Department string(80) ncup
Title string(80) ncup
Email email(128) cu
IsActive boolean cud
TimeZoneSidKey picklist(40) cu
UserRoleId reference ncu >UserRole:UserRole
UserType picklist(40) n
ManagerId reference ncup >User:Manager
%audit
""",
    "UserRole": """
Id id d
Name string(80) cuN
ParentRoleId reference ncu
DeveloperName string(80) cu
SystemModstamp datetime d
""",
    "Group": """
Id id d
Name string(40) cuN
DeveloperName string(80) cu
Type picklist(40) c
%audit
""",
    "Product2": """
Id id d
Name string(255) cuN
ProductCode string(255) ncup
IsActive boolean cud
Family picklist(255) ncup
%audit
IsDeleted boolean d
""",
    "RecordType": """
Id id d
Name string(80) cuN
DeveloperName string(80) cu
SobjectType picklist(40) c
IsActive boolean cud
%audit
""",
    "Organization": """
Id id d
Name string(80) uN
Country string(80) nu @Address
DefaultLocaleSidKey picklist(40) u
TimeZoneSidKey picklist(40) u
LanguageLocaleKey picklist(40) u
FiscalYearStartMonth int(9) nu
OrganizationType picklist(40) n
InstanceName string(5) n
IsSandbox boolean d
NamespacePrefix string(15) n
%audit
""",
    "CurrencyType": """
Id id d
IsoCode picklist(3) c
ConversionRate double(18,9) cu
DecimalPlaces int(9) cu
IsActive boolean cu
IsCorporate boolean cu
%audit
""",
    "DatedConversionRate": """
Id id d
IsoCode picklist(3) c
StartDate date c
NextStartDate date n
ConversionRate double(18,9) cu
%audit
""",
}
